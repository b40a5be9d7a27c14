// SPDX-License-Identifier: Apache-2.0

package web

import "testing"

func TestPathSet(t *testing.T) {
	var p pathSet
	if p.has("") || p.folds("") {
		t.Error("an empty set has a path")
	}
	for _, path := range []string{"/auth/login", "/auth/other", "/", "/auth/login"} {
		p.add(path)
	}
	for path, want := range map[string]struct{ has, folds bool }{
		"/auth/login":               {true, true},
		"/Auth/LOGIN":               {false, true},
		"/auth/other":               {true, true},
		"/":                         {true, true},
		"":                          {},
		"/auth/logins":              {},
		"/auth/lo\u0261in":          {},
		"/a":                        {},
		"/auth/login/and/much/more": {},
	} {
		if p.has(path) != want.has || p.folds(path) != want.folds {
			t.Errorf("%q: has %v, folds %v", path, p.has(path), p.folds(path))
		}
	}
}
