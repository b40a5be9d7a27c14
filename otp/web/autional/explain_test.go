// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"go/ast"
	"go/parser"
	"go/token"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/caddy-otp/caddy-otp/otp/web/webtest"
)

// kindsDeclared counts the types of problems in the package's sources.
func kindsDeclared(t *testing.T) (n int) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if literal, ok := node.(*ast.CompositeLit); ok {
				if name, ok := literal.Type.(*ast.Ident); ok && name.Name == "kind" {
					n++
				}
			}
			return true
		})
	}
	return n
}

func TestEveryKindIsExplained(t *testing.T) {
	if n := kindsDeclared(t); n < 15 || n != len(explanations) {
		t.Errorf("%d of %d types are explained", len(explanations), n)
	}
	names := make(map[string]bool)
	for _, e := range explanations {
		if names[e.kind.name] || e.kind.name == "" || e.kind.title == "" || e.kind.status/100 < 4 || e.kind.code == 0 {
			t.Errorf("%+v lacks something or stands twice", e.kind)
		}
		names[e.kind.name] = true
	}
	for _, known := range answers {
		if k, ok := known.answer.(*kind); ok && !names[k.name] {
			t.Errorf("%s isn't explained", k.name)
		}
	}
}

// TestReadmeHasEveryCode: its table is the one that people read.
func TestReadmeHasEveryCode(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join("..", "..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range explanations {
		row := regexp.MustCompile(`\|.*\b` + strconv.Itoa(e.kind.code) + `\b.*\b` + strconv.Itoa(e.kind.status) + "\\b.*`" + e.kind.name + "`")
		if !row.Match(readme) {
			t.Errorf("it has no row of %d, %d and %s", e.kind.code, e.kind.status, e.kind.name)
		}
	}
}

// Every sentence is in every language, with the same names to fill in.
func TestEveryTextIsComplete(t *testing.T) {
	texts := map[string]text{"second": second, "seconds": severalSeconds}
	for code, description := range fieldCodes {
		texts["field code "+code] = description
	}
	for _, e := range explanations {
		texts[e.kind.name+": detail"] = e.kind.detail
		texts[e.kind.name+": meaning"] = e.meaning
		texts[e.kind.name+": to do"] = e.toDo
	}
	for name, text := range texts {
		waits := strings.Count(text.english, "{wait}")
		for language, sentence := range map[string]string{"English": text.english, "German": text.german, "Chinese": text.chinese} {
			if sentence == "" || strings.TrimSpace(sentence) != sentence || strings.Count(sentence, "{wait}") != waits {
				t.Errorf("%s: %s is %q", name, language, sentence)
			}
			if han := strings.ContainsFunc(sentence, func(r rune) bool { return unicode.Is(unicode.Han, r) }); han != (language == "Chinese") {
				t.Errorf("%s: %s is %q", name, language, sentence)
			}
		}
		if text.english == text.german {
			t.Errorf("%s: German is English: %q", name, text.german)
		}
	}
}

func TestTypesAreExplained(t *testing.T) {
	s := newSite(t, webtest.Options{NoKey: true})
	for _, e := range explanations {
		k := e.kind
		path := webtest.PagesPath + "/problems/" + k.name
		for language, want := range map[string][3]string{
			"":      {"en", e.meaning.english, e.toDo.english},
			"de-CH": {"de", e.meaning.german, e.toDo.german},
			"zh-TW": {"zh-Hans", e.meaning.chinese, e.toDo.chinese},
		} {
			a := s.Get(path, "Accept", "application/json", "Accept-Language", language).Want(http.StatusOK)
			if got := [3]string{a.Text("language"), a.Text("meaning"), a.Text("what_to_do")}; got != want {
				t.Errorf("%s in %q: %s", path, language, a.Body)
			}
			if a.Text("type") != webtest.Origin+path || a.Text("title") != k.title || a.Text("i18n_key") != "problem."+k.name ||
				a.Fields["status"] != float64(k.status) || a.Fields["code"] != float64(k.code) || len(a.Fields) != 8 {
				t.Errorf("%s: %s", path, a.Body)
			}
			page := s.Get(path, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language", language).Want(http.StatusOK)
			if page.Header.Get("Content-Type") != "text/html; charset=utf-8" || page.Header.Get("Content-Language") != want[0] ||
				page.Header.Get("Content-Security-Policy") == "" {
				t.Errorf("%s: %v", path, page.Header)
			}
			text := html.UnescapeString(page.Body)
			for _, shown := range []string{`<html lang="` + want[0] + `">`, "<h1>" + k.title + "</h1>", want[1], want[2], strconv.Itoa(k.code)} {
				if !strings.Contains(text, shown) {
					t.Errorf("%s lacks %q:\n%s", path, shown, text)
				}
			}
		}
	}
}

// The type of a problem leads to what it means, as it is.
func TestTypeIsDereferenced(t *testing.T) {
	s := newSite(t, webtest.Options{NoKey: true})
	problem := s.Post("/auth/send-login-code", `{}`).Want(http.StatusBadRequest)
	path, ok := strings.CutPrefix(problem.Text("type"), webtest.Origin)
	if !ok {
		t.Fatalf("type is %s", problem.Text("type"))
	}
	for _, headers := range [][]string{nil, {"Accept", "*/*"}, {"Accept", "application/problem+json"}, {"Accept", "application/json, text/html;q=0.9"}, {"Accept", "text/html;q=0"}} {
		a := s.Get(path, headers...).Want(http.StatusOK)
		for _, field := range []string{"type", "title", "status", "code", "i18n_key"} {
			if !reflect.DeepEqual(a.Fields[field], problem.Fields[field]) {
				t.Errorf("%v: %s is %v: %s", headers, field, a.Fields[field], a.Body)
			}
		}
	}
	s.Do(webtest.Request(http.MethodHead, path, "")).Want(http.StatusOK)
	wantProblem(s.Post(path, `{}`), methodNotAllowed)
}
