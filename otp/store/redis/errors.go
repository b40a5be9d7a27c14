// SPDX-License-Identifier: Apache-2.0

package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
)

// errShed says that too many operations wait already.
var errShed = errors.New("too many operations wait for an answer")

// refusals are the codes with which a server says that it doesn't serve now,
// or doesn't serve us.
var refusals = []string{
	"OOM", "READONLY", "LOADING", "NOAUTH", "WRONGPASS", "NOPERM", "BUSY", "MASTERDOWN",
	"MISCONF", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK", "NOSCRIPT", "UNBLOCKED",
}

// retried are the refusals after which the same command is sent once more:
// nothing was done, and another connection may lead to a server that does it.
// A Cluster follows redirections besides.
var retried = []string{"NOSCRIPT", "READONLY", "LOADING", "MASTERDOWN", "CLUSTERDOWN"}

// passes are those of them that another try may find over a moment later.
var passes = []string{"LOADING", "MASTERDOWN", "CLUSTERDOWN"}

// uncoded are refusals without a code of their own, and what we say instead.
// A server that wants a password refuses a command as long as ours before it
// reads its name.
var uncoded = map[string]string{
	"ERR max number of clients reached":   maxClients,
	"ERR Protocol error: unauthenticated": "NOAUTH",
}

const maxClients = "max number of clients reached"

// misread are what the driver says of an answer that isn't in Redis's protocol.
var misread = []string{"redis: can't parse", "redis: invalid reply", "redis: invalid line", "redis: got "}

// isMisread reports whether an error is of an answer that breaks the protocol:
// something else than a Redis is there, or it is broken, so that waiting won't
// help.
func isMisread(err error) bool {
	if _, ok := errors.AsType[*strconv.NumError](err); ok {
		return true // of a length
	}
	text := err.Error()
	return slices.ContainsFunc(misread, func(says string) bool { return strings.Contains(text, says) })
}

// storeError makes of a client's error one for the domain. It names the server
// by its host and port or its socket, and holds nothing of what a server or a
// driver may have put into its text: keys, tags, other addresses.
func storeError(server string, err error) error {
	if err == nil {
		return nil
	}
	if ranNothing(err) {
		return &unrun{domainError(server, err)}
	}
	return domainError(server, err)
}

func domainError(server string, err error) error {
	if text := misconfigured(err); text != "" {
		return fmt.Errorf("%w: redis at %s: %s", otp.ErrUnavailable, server, text)
	}
	if reply, ok := errors.AsType[goredis.Error](err); ok {
		return replyError(server, reply.Error())
	}
	if isMisread(err) {
		return fmt.Errorf("redis at %s: its answers aren't those of a Redis", server)
	}
	return fmt.Errorf("%w: redis at %s: %s", otp.ErrUnavailable, server, reason(err))
}

// replyError is the error of a server that answered.
func replyError(server, text string) error {
	if code := refusal(text); code != "" {
		return fmt.Errorf("%w: redis at %s: %s", otp.ErrUnavailable, server, code)
	}
	if strings.Contains(text, "non local key") {
		// A script that makes names by itself met one that has moved already.
		return fmt.Errorf("%w: redis at %s: a slot is on its way to another node", otp.ErrUnavailable, server)
	}
	if strings.Contains(text, "user_script:") {
		return fmt.Errorf("redis at %s: script failed: %s", server, text) // Lua names variables, never their values
	}
	code, _, _ := strings.Cut(text, " ")
	return fmt.Errorf("redis at %s: server answered %s", server, code)
}

// refusal returns the code of a refusal, or what stands for it, or "". Before version 7 a refusal
// inside a script stands in the middle of the text: "… -OOM command …".
func refusal(text string) string {
	code, _, _ := strings.Cut(text, " ")
	if slices.Contains(refusals, code) {
		return code
	}
	for prefix, says := range uncoded {
		if strings.HasPrefix(text, prefix) {
			return says
		}
	}
	if strings.HasPrefix(text, "ERR Error running script") {
		for _, code := range refusals {
			if strings.Contains(text, " -"+code+" ") {
				return code
			}
		}
	}
	return ""
}

// replyCode returns the code of a refusal, as refusal does, and whether an
// error is a server's answer at all.
func replyCode(err error) (code string, replied bool) {
	reply, replied := errors.AsType[goredis.Error](err)
	if !replied {
		return "", false
	}
	return refusal(reply.Error()), true
}

// mayDialAgain reports whether an error says that a connection couldn't be made,
// and another may be: one without a handshake takes all the time there is.
func mayDialAgain(err error) bool {
	_, unsent := errors.AsType[dialError](err)
	return unsent && !errors.Is(err, errNoHandshake)
}

// didNothing reports whether an error says that the command had no effect, or
// was never sent, and is worth another try.
func didNothing(err error) bool {
	if mayDialAgain(err) {
		return true
	}
	code, _ := replyCode(err)
	return slices.Contains(retried, code)
}

func isTimeout(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)
}

// reason says why there was no answer, without host names and addresses: a
// driver may have others in its errors than the server's own.
func reason(err error) string {
	if errors.Is(err, errNoHandshake) {
		return errNoHandshake.Error()
	}
	if isTimeout(err) {
		return "no answer in time"
	}
	if errors.Is(err, context.Canceled) {
		return "cancelled"
	}
	if errors.Is(err, errShed) || errors.Is(err, goredis.ErrClosed) || errors.Is(err, goredis.ErrPoolTimeout) {
		return err.Error()
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return "connection closed"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "its certificate isn't trusted, or is for another host"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "it doesn't speak TLS; write redis:// instead of rediss://"
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Err
	}
	if number, ok := errors.AsType[syscall.Errno](err); ok {
		return number.Error()
	}
	if operation, ok := errors.AsType[*net.OpError](err); ok {
		return operation.Op + ": " + operation.Err.Error()
	}
	return "connection failed"
}
