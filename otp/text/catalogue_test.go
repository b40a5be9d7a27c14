// SPDX-License-Identifier: Apache-2.0

package text

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// wordings returns every string of w by the path to its field.
func wordings(w *Words) map[string]string {
	all := make(map[string]string)
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		if v.Kind() == reflect.String {
			all[path] = v.String()
			return
		}
		for field, value := range v.Fields() {
			walk(strings.TrimPrefix(path+"."+field.Name, "."), value)
		}
	}
	walk("", reflect.ValueOf(*w))
	return all
}

var nameInWording = regexp.MustCompile(`\{[^}]*\}?`)

func namesIn(wording string) []string {
	names := nameInWording.FindAllString(wording, -1)
	slices.Sort(names)
	return slices.Compact(names)
}

func TestEveryLanguageHasEveryWording(t *testing.T) {
	for _, w := range languages {
		for path, wording := range wordings(w) {
			if strings.TrimSpace(wording) == "" || strings.TrimSpace(wording) != wording {
				t.Errorf("%s lacks %s or has blanks around it: %q", w.Language, path, wording)
			}
			if strings.ContainsAny(wording, "\n\r\t") {
				t.Errorf("%s: %s has several lines", w.Language, path)
			}
			if want := namesIn(wordings(&english)[path]); !slices.Equal(namesIn(wording), want) {
				t.Errorf("%s: %s has %v, English has %v", w.Language, path, namesIn(wording), want)
			}
		}
	}
}

func TestNamesOfWordings(t *testing.T) {
	known := map[string][]string{
		"Mail": {"{site}", "{host}", "{lifetime}"},
		"SMS":  {"{code}", "{link}", "{site}", "{lifetime}"},
		"Page": {"{site}", "{address}", "{wait}", "{prefix}", "{url}", "{path}", "{time}", "{api}", "{program}", "{system}", "{language}"},
	}
	for path, wording := range wordings(&english) {
		part, _, _ := strings.Cut(path, ".")
		names, ok := known[part]
		if !ok {
			names = []string{"{n}"}
		}
		for _, name := range namesIn(wording) {
			if !slices.Contains(names, name) {
				t.Errorf("%s has %s, which nothing fills in", path, name)
			}
		}
	}
}

func TestCatalogueMatches(t *testing.T) {
	tests := map[string]string{
		"":                              "en",
		"en":                            "en",
		"de":                            "de",
		"DE":                            "de",
		"de-AT":                         "de",
		"de_CH":                         "de",
		"en-GB":                         "en",
		"fr":                            "en",
		"zh-Hans-CN":                    "en",
		"fr, de;q=0.5":                  "de",
		"de;q=0.4, en;q=0.8":            "en",
		"fr;q=1.0,de-DE;q=0.9,en;q=0.8": "de",
		"*":                             "en",
		"garbage!":                      "en",
		"de; DROP TABLE":                "en",
		"\x00\xff":                      "en",
		"<script>":                      "en",
		strings.Repeat("de,", 100):      "en",
		strings.Repeat("x-", 1<<20):     "en",
	}
	c := NewCatalogue()
	for locale, want := range tests {
		if got := c.Words(locale).Language; got != want {
			t.Errorf("%.40q: %s, want %s", locale, got, want)
		}
	}
	if got := c.Languages(); !slices.Equal(got, []string{"en", "de"}) {
		t.Errorf("languages %v", got)
	}
}

func FuzzWords(f *testing.F) {
	for _, locale := range []string{"", "de-AT", "fr, de;q=0.5", "en-u-co-phonebk", "x-y", "*;q=0", "zh-Hant-TW-x-private"} {
		f.Add(locale)
	}
	c := NewCatalogue()
	f.Fuzz(func(t *testing.T, locale string) {
		if !slices.Contains(c.Languages(), c.Words(locale).Language) {
			t.Errorf("%q has no words", locale)
		}
	})
}

func TestFill(t *testing.T) {
	tests := []struct {
		wording string
		pairs   []string
		want    string
	}{
		{"Sign in to {site}", []string{"site", "Acme"}, "Sign in to Acme"},
		{"{a}{b}{a}", []string{"a", "{b}", "b", "{a}"}, "{b}{a}{b}"},
		{"{other} stays", []string{"site", "Acme"}, "{other} stays"},
		{"{site", []string{"site", "Acme"}, "{site"},
		{"{{site}}", []string{"site", "Acme"}, "{Acme}"},
		{"nothing", nil, "nothing"},
	}
	for _, tt := range tests {
		if got := Fill(tt.wording, tt.pairs...); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.wording, got, tt.want)
		}
	}
}

func TestSpans(t *testing.T) {
	tests := []struct {
		d              time.Duration
		lifetime, wait string
	}{
		{0, "1 second", "1 second"},
		{300 * time.Millisecond, "1 second", "1 second"},
		{time.Second, "1 second", "1 second"},
		{1500 * time.Millisecond, "1 second", "2 seconds"},
		{59 * time.Second, "59 seconds", "59 seconds"},
		{time.Minute, "1 minute", "1 minute"},
		{90 * time.Second, "1 minute", "2 minutes"},
		{10 * time.Minute, "10 minutes", "10 minutes"},
		{time.Hour, "1 hour", "1 hour"},
		{90 * time.Minute, "1 hour", "2 hours"},
		{24 * time.Hour, "1 day", "1 day"},
		{30 * 24 * time.Hour, "30 days", "30 days"},
	}
	for _, tt := range tests {
		if got := english.Lifetime(tt.d); got != tt.lifetime {
			t.Errorf("Lifetime(%s): %q, want %q", tt.d, got, tt.lifetime)
		}
		if got := english.Wait(tt.d); got != tt.wait {
			t.Errorf("Wait(%s): %q, want %q", tt.d, got, tt.wait)
		}
	}
}
