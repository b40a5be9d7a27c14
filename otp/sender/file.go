// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// NewFile returns a sender that appends each message to a file as one line of
// JSON with the keys of [fileLine], all of them always present. The file is
// readable to its owner only. A line is one write, so that several processes
// can share the file, and the file is opened anew for each, so that it can be
// rotated away. Its folder must exist. It is for development and tests.
func NewFile(path string) (otp.Sender, error) {
	if path == "" || strings.HasSuffix(path, string(os.PathSeparator)) {
		return nil, fmt.Errorf("%q is no file; write the path of the file that messages are appended to", path)
	}
	return fileSender(path), nil
}

type fileSender string

// fileLine is the format of a line. Tests of other projects read it: keys may
// be added, never changed.
type fileLine struct {
	Time      string      `json:"time"`
	Channel   otp.Channel `json:"channel"`
	Purpose   otp.Purpose `json:"purpose"`
	To        string      `json:"to"`
	Subject   string      `json:"subject"`
	Text      string      `json:"text"`
	HTML      string      `json:"html"`
	Code      string      `json:"code"`
	Link      string      `json:"link"`
	Locale    string      `json:"locale"`
	MessageID string      `json:"message_id"`
	Dialect   string      `json:"dialect"`
	Tenant    string      `json:"tenant"`
}

// ownerOnly is the mode of a file that holds codes.
const ownerOnly = 0o600

func (s fileSender) Send(ctx context.Context, m otp.Message) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var line bytes.Buffer
	line.Grow(1024 + len(m.Text) + len(m.HTML)*5/4)
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false) // links stay readable
	err := encoder.Encode(fileLine{
		Time:      time.Now().UTC().Format(time.RFC3339Nano),
		Channel:   m.Channel,
		Purpose:   m.Purpose,
		To:        m.To,
		Subject:   m.Subject,
		Text:      m.Text,
		HTML:      m.HTML,
		Code:      m.Code,
		Link:      m.Link,
		Locale:    m.Locale,
		MessageID: m.ID,
		Dialect:   m.Dialect,
		Tenant:    m.Tenant,
	})
	if err != nil {
		return err
	}
	return s.append(line.Bytes())
}

func (s fileSender) append(line []byte) error {
	file, err := os.OpenFile(string(s), os.O_APPEND|os.O_CREATE|os.O_WRONLY, ownerOnly)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil && info.Mode().IsRegular() && info.Mode().Perm() != ownerOnly {
		err = file.Chmod(ownerOnly)
	}
	if err == nil {
		_, err = file.Write(line)
	}
	return errors.Join(err, file.Close())
}
