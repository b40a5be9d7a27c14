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
	"strconv"
	"strings"
	"syscall"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
)

// serverError is what a server answers.
type serverError string

func (e serverError) Error() string { return string(e) }
func (serverError) RedisError()     {}

func TestStoreError(t *testing.T) {
	const secret = "handle-of-alice"
	const server = "redis.example.com:6379"
	for _, test := range []struct {
		err         error
		unavailable bool
		says        string
	}{
		{serverError("OOM command not allowed when used memory > 'maxmemory'. script: f00, on @user_script:9."), true, "OOM"},
		{serverError("ERR Error running script (call to f_00): @user_script:9: @user_script: 9: -OOM command not allowed"), true, "OOM"},
		{serverError("READONLY You can't write against a read only replica."), true, "READONLY"},
		{serverError("LOADING Redis is loading the dataset in memory"), true, "LOADING"},
		{serverError("NOAUTH Authentication required."), true, "NOAUTH"},
		{serverError("WRONGPASS invalid username-password pair or user is disabled."), true, "WRONGPASS"},
		{serverError("NOPERM User x has no permissions to access the '" + secret + "' key"), true, "NOPERM"},
		{serverError("BUSY Redis is busy running a script."), true, "BUSY"},
		{serverError("MASTERDOWN Link with MASTER is down"), true, "MASTERDOWN"},
		{serverError("MISCONF Redis is configured to save RDB snapshots"), true, "MISCONF"},
		{serverError("NOREPLICAS Not enough good replicas to write."), true, "NOREPLICAS"},
		{serverError("CLUSTERDOWN The cluster is down"), true, "CLUSTERDOWN"},
		{serverError("MOVED 1 10.0.0.1:6379"), true, "MOVED"},
		{serverError("ERR Protocol error: unauthenticated multibulk length"), true, "NOAUTH"},
		{serverError("ERR max number of clients reached"), true, "max number of clients"},
		{fmt.Errorf("failed to authenticate: %w", serverError("WRONGPASS invalid")), true, "WRONGPASS"},
		{serverError("WRONGTYPE Operation against a key holding the wrong kind of value script: f00, on @user_script:9."), false, "WRONGTYPE"},
		{serverError("ERR unknown command 'EVALSHA', with args beginning with: '" + secret + "'"), false, "ERR"},
		{serverError("ERR user_script:9: Missing bytes in input. script: f00"), false, "Missing bytes"},
		{fmt.Errorf("redis: can't parse %q", "HTTP/1.1 400 "+secret), false, "aren't those of a Redis"},
		{fmt.Errorf("failed to initialize connection options: %w", fmt.Errorf("redis: invalid reply: %q", secret)), false, "aren't those of a Redis"},
		{&strconv.NumError{Func: "Atoi", Num: secret, Err: strconv.ErrSyntax}, false, "aren't those of a Redis"},
		{serverError("ERR Script attempted to access a non local key in a cluster node script: f00, on @user_script:9."), true, "on its way"},
		{context.DeadlineExceeded, true, "in time"},
		{context.Canceled, true, "cancelled"},
		{fmt.Errorf("read tcp: %w", os.ErrDeadlineExceeded), true, "in time"},
		{&net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}, Err: syscall.ECONNREFUSED}, true, "redis at redis.example.com:6379: connection refused"},
		{&net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", syscall.ENOENT)}, true, ": no such file or directory"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: handshake failure")}, true, "remote error: tls: handshake failure"},
		{&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: secret}}, true, "no such host"},
		{&tls.CertificateVerificationError{Err: errors.New(secret)}, true, "certificate"},
		{tls.RecordHeaderError{Msg: secret}, true, "doesn't speak TLS"},
		{dialError{fmt.Errorf("%w: %w", errNoHandshake, context.DeadlineExceeded)}, true, "doesn't answer the TLS handshake"},
		{io.EOF, true, "closed"},
		{goredis.ErrPoolTimeout, true, "pool"},
		{goredis.ErrClosed, true, "closed"},
		{errShed, true, "too many"},
		{errors.New(secret), true, "connection failed"},
	} {
		got := storeError(server, test.err)
		if errors.Is(got, otp.ErrUnavailable) != test.unavailable {
			t.Errorf("%v: unavailable is %t", test.err, !test.unavailable)
		}
		if !strings.Contains(got.Error(), test.says) {
			t.Errorf("%v: %q doesn't say %q", test.err, got, test.says)
		}
		if !strings.Contains(got.Error(), "redis at "+server+": ") {
			t.Errorf("%v: %q doesn't name the server", test.err, got)
		}
		if strings.Contains(got.Error(), secret) || strings.Contains(got.Error(), "10.0.0.1") {
			t.Errorf("%v: %q says too much", test.err, got)
		}
	}
	if storeError(server, nil) != nil {
		t.Error("no error makes one")
	}
}

// What is charged apart is given back only where nothing can have run.
func TestRanNothing(t *testing.T) {
	for err, want := range map[error]bool{
		serverError("OOM command not allowed"):              true,
		serverError("TRYAGAIN Multiple keys"):               true,
		serverError("CLUSTERDOWN"):                          true,
		errShed:                                             true,
		&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}: true,
		&net.OpError{Op: "read", Err: syscall.ECONNRESET}:   false,
		io.EOF:                   false,
		context.DeadlineExceeded: false,
		context.Canceled:         false,
		serverError("UNBLOCKED"): false,
		serverError("NOPERM User otp has no permissions to run the 'evalsha' command"):                                                                     true,
		serverError("ERR Error running script (call to f_1): @user_script:9: -NOPERM The user executing the script can't run this command or subcommand "): false, // 6.2
		serverError("ERR Script attempted to access a non local key in a cluster node"):                                                                    false,
		serverError("WRONGTYPE Operation against a key holding the wrong kind of value"):                                                                   false,
	} {
		if _, got := errors.AsType[*unrun](storeError("server", err)); got != want {
			t.Errorf("%v: certainly ran nothing is %t, want %t", err, got, want)
		}
	}
}

// Only where the server did nothing is a command sent again.
func TestDidNothing(t *testing.T) {
	for text, want := range map[string]bool{
		"NOSCRIPT No matching script. Please use EVAL.":                                true,
		"READONLY You can't write":                                                     true,
		"LOADING Redis is loading":                                                     true,
		"CLUSTERDOWN The cluster is down":                                              true,
		"TRYAGAIN Multiple keys request during rehashing of slot":                      false,
		"BUSY Redis is busy running a script.":                                         false,
		"ERR Error running script (call to f_00): @user_script:9: -READONLY You can't": true,
		"OOM command not allowed":                                                      false,
		"ERR user_script:9: oops":                                                      false,
	} {
		if got := didNothing(serverError(text)); got != want {
			t.Errorf("didNothing(%s) = %t", text, got)
		}
	}
	for _, err := range []error{nil, io.EOF, context.DeadlineExceeded, os.ErrDeadlineExceeded} {
		if didNothing(err) {
			t.Errorf("didNothing(%v)", err)
		}
	}
}

// No answer, however odd, makes a panic or an outcome.
func TestNonsense(t *testing.T) {
	for _, answer := range []any{nil, "OK", int64(1), []any{}, []any{"x"}, []any{int64(1)}, []any{int64(1), "x"}, []any{int64(otp.Throttled), int64(1), int64(1), int64(9)}} {
		r := newReply(answer)
		o := otp.Outcome{Result: otp.Result(r.integer(0)), Now: r.instant(1)}
		c := charges{given: []otp.Charge{{Scope: otp.ScopeAddress}}, places: []int{0}}
		c.refusal(&o, r)
		if o.Result == otp.Accepted {
			o.Levels = c.levels(r)
		}
		if o, err := checked(o, r); !errors.Is(err, errNonsense) || !o.Now.IsZero() {
			t.Errorf("%v: %v, %v", answer, o, err)
		}
	}
	for _, result := range []otp.Result{0, otp.CoolingDown, otp.Verified, 99} { // of a charge by itself
		if o, err := new(charges).outcome([]any{int64(result), int64(1), int64(1), int64(1)}); !errors.Is(err, errNonsense) {
			t.Errorf("%d: %v, %v", result, o, err)
		}
	}
	for _, member := range []string{"", "1", "1 ", "x sabc", "1 zabc"} {
		if _, err := parseRevocation(member); err == nil {
			t.Errorf("revocation %q: no error", member)
		}
	}
	for _, value := range []string{"", "1\nx", "1 2\nx", "a b c\nx"} {
		if err := decodeMessage(value, new(otp.Lease)); err == nil {
			t.Errorf("message %q: no error", value)
		}
	}
}
