// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
)

// mayLast tells requests that may go on for long after they have passed: those
// that switch protocols (websockets; over HTTP/2 and HTTP/3 they come as
// CONNECT, RFC 8441 and RFC 9220), event streams, and calls of gRPC.
func mayLast(r *http.Request) bool {
	return r.Header["Upgrade"] != nil || r.Method == http.MethodConnect || acceptsEvents(r.Header["Accept"]) || isGRPC(r)
}

func acceptsEvents(accept []string) bool {
	for _, value := range accept {
		if strings.Contains(value, "text/event-stream") {
			return true
		}
	}
	return false
}

// follow returns a request that may last, to be passed on, whose context ends
// when its session no longer holds, or no longer admits to the path. release
// must be called when the request has ended.
//
// Whoever proxies it ends it then. What doesn't look at the context, such as
// FastCGI, can at least write and read nothing any more.
func (g *Gate) follow(w http.ResponseWriter, r *http.Request, x *otp.Session, need Need) (_ *http.Request, release func()) {
	need.Fresh = 0 // it was fresh enough when the request began
	ctx, forget := g.Service.Follow(r.Context(), *x, func(x otp.Session) bool {
		return need.admits(&x.Person) && g.hasFactor(need, &x)
	})
	cut := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(cut)
		if r.Context().Err() == nil { // otherwise the client has hung up
			cutOff(w)
		}
	})
	return r.WithContext(ctx), func() {
		if !stop() {
			<-cut // the answer may not be touched when its request has ended
		}
		forget()
	}
}

// cutOff fails all that is yet to be written to a client and read from it, also
// where another protocol has taken over the connection.
func cutOff(w http.ResponseWriter) {
	c, past := http.NewResponseController(w), time.Unix(1, 0)
	_ = c.SetWriteDeadline(past) // where there are no deadlines, the context has to do
	_ = c.SetReadDeadline(past)
}
