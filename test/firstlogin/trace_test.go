// SPDX-License-Identifier: Apache-2.0

package firstlogin

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
	"github.com/caddy-otp/caddy-otp/test/caddyserver"
	"github.com/caddy-otp/caddy-otp/test/freeport"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestTrace follows a trace from a request's traceparent to the problem that
// answers it, to our line in the log, which stands there in place of the access
// log's, and, of the same trace's next request, to the access log and the app.
func TestTrace(t *testing.T) {
	site.SkipShort(t)
	t.Setenv("OTEL_TRACES_EXPORTER", "none")
	r := &site.Rig{T: t, App: site.NewUpstream(t), Global: site.GlobalBlock("store bolt otp.db")}
	r.URL = fmt.Sprintf("http://localhost:%d", freeport.Take(t))
	r.Sites = site.SiteBlock(r.URL, "", "log\n\ttracing\n\treverse_proxy "+r.App.Addr)
	r.Caddy = caddyserver.Start(t, r.Global, r.Sites)

	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	const parent = "00-" + traceID + "-00f067aa0ba902b7-01"
	problem := r.Post("/auth/send-login-code", map[string]any{}, "Traceparent", parent)
	if problem.Status != http.StatusBadRequest {
		t.Fatalf("%d %s", problem.Status, problem.Body)
	}
	r.Get("/page", "Traceparent", parent)

	answered := logged(t, r, "answered", traceID)
	trace, ok := wire.ParseTraceparent(problem.Text(t, "trace_id"))
	if !ok || trace.ID != traceID || trace.Span != problem.Text(t, "span_id") || answered["trace_id"] != traceID || answered["span_id"] != trace.Span {
		t.Errorf("the problem has %+v, its line %v", trace, answered)
	}
	id, _ := strings.CutPrefix(problem.Text(t, "request_id"), "req_")
	if len(id) != len("00000000-0000-0000-0000-000000000000") || answered["request_id"] != id {
		t.Errorf("the problem has the request_id %q, its line %v", id, answered["request_id"])
	}
	handled := logged(t, r, "handled request", traceID)
	if handled["traceID"] != traceID || !strings.Contains(fmt.Sprint(handled["request"]), "/page") {
		t.Errorf("the access log has %v", handled)
	}
	t.Logf("traceparent %s\nproblem     %s\nour line    %v %v\naccess log  %v %v",
		parent, problem.Text(t, "trace_id"), answered["trace_id"], answered["span_id"], handled["traceID"], handled["spanID"])
}

// logged returns the one line of a message that tells of a trace.
func logged(t *testing.T, r *site.Rig, message, traceID string) map[string]any {
	t.Helper()
	var found []map[string]any
	for deadline := time.Now().Add(site.DeliveryWait); len(found) == 0 && time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		for line := range strings.Lines(r.Caddy.Log()) {
			var fields map[string]any
			if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == message && strings.Contains(line, traceID) {
				found = append(found, fields)
			}
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d lines of %q:\n%s", len(found), message, r.Caddy.Log())
	}
	return found[0]
}
