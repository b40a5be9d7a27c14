// SPDX-License-Identifier: Apache-2.0

package gate

import "testing"

func TestIsStream(t *testing.T) {
	for contentType, want := range map[string]bool{
		"text/event-stream":                          true,
		"text/event-stream;charset=utf-8":            true,
		"Text/Event-Stream ; charset=utf-8":          true,
		` text/event-stream; charset="`:              true,
		"multipart/x-mixed-replace; boundary=a":      true,
		"":                                           false,
		"text/html; charset=utf-8":                   false,
		"text/event-streams":                         false,
		"application/json; of=text/event-stream":     false,
		"multipart/form-data; boundary=event-stream": false,
	} {
		if isStream(contentType) != want {
			t.Errorf("%q: %v", contentType, !want)
		}
	}
}
