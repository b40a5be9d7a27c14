// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"context"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"strconv"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/endpoint"
)

// smtpStep is what a relay was asked for when it failed.
type smtpStep string

const (
	stepConnect smtpStep = "the connection"
	stepEHLO    smtpStep = "EHLO"
	stepTLS     smtpStep = "TLS"
	stepAuth    smtpStep = "AUTH"
	stepMail    smtpStep = "MAIL"
	stepRcpt    smtpStep = "RCPT"
	stepData    smtpStep = "DATA"
)

var (
	errNoSTARTTLS       = errors.New("it doesn't offer STARTTLS; nothing was sent (where it expects TLS at once, write tls implicit)")
	errNoTLSForPassword = errors.New("it doesn't offer STARTTLS, and a password is never sent in the clear")
	errNoMechanism      = errors.New("it offers none of PLAIN, LOGIN and CRAM-MD5")
	errNotSMTP          = errors.New("its answer isn't SMTP")
)

// failure words what a relay did. A relay's own text is left out: it quotes
// the recipient.
func (s *smtpSender) failure(ctx context.Context, step smtpStep, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("smtp relay %s did not finish %s in time: %w", s.address, step, ctx.Err())
	}
	answer, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return fmt.Errorf("smtp relay %s failed at %s: %w", s.address, step, safeCause(step, err))
	}
	said := fmt.Sprintf("smtp relay %s answered %s to %s", s.address, status(answer), step)
	switch {
	case isAuthAnswer(answer.Code) || step == stepAuth && answer.Code >= 500:
		return fmt.Errorf("%s; check username and password", said)
	case answer.Code >= 500 && (step == stepRcpt || step == stepData):
		return fmt.Errorf("%s: %w", said, otp.ErrUndeliverable)
	}
	return errors.New(said)
}

// isAuthAnswer reports whether an answer is about who we are (RFC 4954 §6),
// at whichever step it comes. That is mended in the configuration, and the
// message waits for it.
func isAuthAnswer(code int) bool {
	return code == 530 || code == 534 || code == 535 || code == 538
}

var enhancedStatus = regexp.MustCompile(`^[245]\.[0-9]{1,3}\.[0-9]{1,3}\b`)

// status is an answer's code, with its enhanced code (RFC 3463) if it has one.
func status(answer *textproto.Error) string {
	code := strconv.Itoa(answer.Code)
	if enhanced := enhancedStatus.FindString(answer.Msg); enhanced != "" {
		code += " " + enhanced
	}
	return code
}

// safeCause keeps the causes that quote nothing of the conversation.
func safeCause(step smtpStep, err error) error {
	if _, ok := errors.AsType[textproto.ProtocolError](err); ok {
		return errNotSMTP
	}
	// Neither a connection nor TLS knows anything of the message.
	if step == stepConnect || step == stepTLS || errors.Is(err, errNoMechanism) {
		return err
	}
	if cause := endpoint.NetworkCause(err); cause != nil {
		return cause
	}
	return errNotSMTP
}
