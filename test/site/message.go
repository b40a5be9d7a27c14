// SPDX-License-Identifier: Apache-2.0

package site

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"time"
)

// Message is a line of the file sender.
type Message struct {
	Channel   string `json:"channel"`
	To        string `json:"to"`
	Code      string `json:"code"`
	Link      string `json:"link"`
	Subject   string `json:"subject"`
	Text      string `json:"text"`
	Dialect   string `json:"dialect"`
	MessageID string `json:"message_id"`
}

// Messages returns what was delivered to an address so far.
func (r *Rig) Messages(to string) []Message {
	r.T.Helper()
	text, err := os.ReadFile(filepath.Join(r.Caddy.Dir, "mails.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		r.T.Fatal(err)
	}
	var found []Message
	text = text[:bytes.LastIndexByte(text, '\n')+1] // a line may be half written
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m Message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			r.T.Fatalf("line of the file sender: %v: %s", err, lines.Text())
		}
		if m.To == to {
			found = append(found, m)
		}
	}
	return found
}

// Message waits for the nth message (from 1) to an address.
func (r *Rig) Message(to string, nth int) Message {
	r.T.Helper()
	deadline := time.Now().Add(DeliveryWait)
	for {
		if found := r.Messages(to); len(found) >= nth {
			return found[nth-1]
		}
		if time.Now().After(deadline) {
			r.T.Fatalf("message %d to %s did not arrive:\n%s", nth, to, r.Caddy.Log())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
