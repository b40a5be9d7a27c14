// SPDX-License-Identifier: Apache-2.0

package endpoint

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// NetworkCause returns the part of err that is about the connection and is
// known to quote nothing of what went over it, or nil.
func NetworkCause(err error) error {
	if errors.Is(err, errProxy) {
		return errProxy
	}
	if cause, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return cause
	}
	if cause, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return cause
	}
	if cause, ok := errors.AsType[net.Error](err); ok {
		return cause
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errHungUp
	}
	return nil
}

var errHungUp = errors.New("it closed the connection")
