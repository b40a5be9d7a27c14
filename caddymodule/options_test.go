// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-otp/caddy-otp/otp"
)

// configured are all types that stand in a configuration, by where they do.
var configured = map[string]any{
	"global":         App{},
	"site":           Handler{},
	"api":            API{},
	"client":         Client{},
	"code":           Code{},
	"throttle":       Throttle{},
	"header":         Header{},
	"session":        Session{},
	"token":          Token{},
	"store bolt":     BoltStore{},
	"store redis":    RedisStore{},
	"redis tls":      RedisTLS{},
	"directory file": FileDirectory{},
	"directory http": HTTPDirectory{},
	"sender file":    FileSender{},
	"sender http":    HTTPSender{},
	"sender log":     LogSender{},
	"sender smtp":    SMTPSender{},
	"site options":   Options{},
}

// optionsOf returns a type's options by their names in JSON.
func optionsOf(t reflect.Type) map[string]reflect.StructField {
	options := make(map[string]reflect.StructField)
	for _, field := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.IsExported() && name != "" && name != "-" {
			options[name] = field
		}
	}
	return options
}

// adaptedModules returns the JSON objects of all goldens, by where they stand.
func adaptedModules(t *testing.T) map[string][]map[string]any {
	t.Helper()
	found := make(map[string][]map[string]any)
	add := func(place string, value any) {
		if object, ok := value.(map[string]any); ok {
			found[place] = append(found[place], object)
		}
	}
	var options func(map[string]any)
	options = func(o map[string]any) {
		add("site options", o)
		for _, place := range []string{"code", "session", "token"} {
			add(place, o[place])
		}
		for _, throttle := range listOf(o["throttles"]) {
			add("throttle", throttle)
		}
		for _, header := range listOf(o["headers"]) {
			add("header", header)
		}
		for _, api := range listOf(o["apis"]) {
			add("api", api)
			for _, client := range listOf(api.(map[string]any)["clients"]) {
				add("client", client)
			}
		}
		if directory, ok := o["directory"].(map[string]any); ok {
			add("directory "+directory["directory"].(string), directory)
		}
		for _, sender := range slices.Concat(listOf(o["email"]), listOf(o["sms"])) {
			add("sender "+sender.(map[string]any)["sender"].(string), sender)
		}
	}
	var walk func(any)
	walk = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, child := range node {
				walk(child)
			}
		case map[string]any:
			if node["handler"] == "otp" {
				add("site", node)
				options(node)
				return
			}
			if app, ok := node["otp"].(map[string]any); ok {
				add("global", app)
				options(app)
				realms, _ := app["realms"].(map[string]any)
				for _, realm := range realms {
					options(realm.(map[string]any))
				}
				if store, ok := app["store"].(map[string]any); ok {
					add("store "+store["store"].(string), store)
					add("redis tls", store["tls"])
				}
			}
			for _, child := range node {
				walk(child)
			}
		}
	}
	for _, file := range goldenFiles(t, "*.caddyfiletest") {
		for _, g := range goldens(t, file) {
			var config any
			if err := json.Unmarshal([]byte(g.want), &config); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			walk(config)
		}
	}
	return found
}

func listOf(value any) []any {
	list, _ := value.([]any)
	return list
}

// TestEveryOptionHasASpelling: what JSON can say, a Caddyfile can, in every
// place where it may.
func TestEveryOptionHasASpelling(t *testing.T) {
	adapted := adaptedModules(t)
	for place, value := range configured {
		for option := range optionsOf(reflect.TypeOf(value)) {
			spelt := slices.ContainsFunc(adapted[place], func(o map[string]any) bool { return o[option] != nil })
			if !spelt {
				t.Errorf("no golden has a Caddyfile that gives the %s %q", place, option)
			}
		}
	}
}

// TestEveryOptionSurvivesJSON: a configuration that comes back from Caddy's
// admin endpoint is the one that went in.
func TestEveryOptionSurvivesJSON(t *testing.T) {
	for place, objects := range adaptedModules(t) {
		for _, object := range objects {
			delete(object, "handler") // the modules' own names, which Caddy takes away
			delete(object, "sender")
			if kind, _, found := strings.Cut(place, " "); found && (kind == "store" || kind == "directory") {
				delete(object, kind)
			}
			in, err := json.Marshal(object)
			if err != nil {
				t.Fatal(err)
			}
			if place == "site options" {
				continue // the same objects as of "site" and "global", whose types have them all
			}
			value := reflect.New(reflect.TypeOf(configured[place]))
			if err := caddy.StrictUnmarshalJSON(in, value.Interface()); err != nil {
				t.Errorf("%s: %v\n%s", place, err, in)
				continue
			}
			out, err := json.Marshal(value.Interface())
			if err != nil {
				t.Fatal(err)
			}
			var back map[string]any
			if err := json.Unmarshal(out, &back); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(back, object) {
				t.Errorf("%s: %s became %s", place, in, out)
			}
		}
	}
}

// TestEveryOptionIsDocumented: Caddy's own site shows the fields' comments as
// the documentation.
func TestEveryOptionIsDocumented(t *testing.T) {
	documented := make(map[string]bool)
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if spec, ok := node.(*ast.TypeSpec); ok {
				if structure, ok := spec.Type.(*ast.StructType); ok {
					for _, field := range structure.Fields.List {
						for _, ident := range field.Names {
							text := strings.TrimSpace(field.Doc.Text())
							documented[spec.Name.Name+"."+ident.Name] = strings.HasSuffix(text, ".")
						}
					}
				}
			}
			return true
		})
	}
	for place, value := range configured {
		structure := reflect.TypeOf(value)
		for _, field := range optionsOf(structure) {
			owner := structure.Name()
			if len(field.Index) > 1 {
				owner = "Options"
			}
			if !documented[owner+"."+field.Name] {
				t.Errorf("%s: %s.%s has no comment of whole sentences", place, owner, field.Name)
			}
		}
	}
}

// withOption returns options of which one has a value.
func withOption(t *testing.T, field reflect.StructField, text string) Options {
	t.Helper()
	var o Options
	value := reflect.ValueOf(&o).Elem().FieldByIndex(field.Index)
	switch field.Type {
	case reflect.TypeFor[string]():
		value.SetString(text)
	case reflect.TypeFor[[]string]():
		value.Set(reflect.ValueOf([]string{text}))
	case reflect.TypeFor[json.RawMessage]():
		value.Set(reflect.ValueOf(json.RawMessage(text)))
	case reflect.TypeFor[[]json.RawMessage]():
		value.Set(reflect.ValueOf([]json.RawMessage{json.RawMessage(text)}))
	case reflect.TypeFor[[]Protection]():
		value.Set(reflect.ValueOf([]Protection{{Paths: []string{text}}}))
	case reflect.TypeFor[[]API]():
		value.Set(reflect.ValueOf([]API{{Name: text}}))
	case reflect.TypeFor[[]SecondFactor]():
		value.Set(reflect.ValueOf([]SecondFactor{{Paths: []string{"/" + text}}}))
	case reflect.TypeFor[[]Throttle]():
		value.Set(reflect.ValueOf([]Throttle{{Scope: "address", Events: len(text), Window: caddy.Duration(time.Minute)}}))
	case reflect.TypeFor[[]Header]():
		value.Set(reflect.ValueOf([]Header{{Name: text, Value: "user"}}))
	case reflect.TypeFor[*Code]():
		value.Set(reflect.ValueOf(&Code{Length: len(text)}))
	case reflect.TypeFor[*Session]():
		value.Set(reflect.ValueOf(&Session{Cookie: text}))
	case reflect.TypeFor[*Token]():
		value.Set(reflect.ValueOf(&Token{Lifetime: caddy.Duration(len(text))}))
	case reflect.TypeFor[*MFA]():
		value.Set(reflect.ValueOf(&MFA{Issuer: text}))
	default:
		t.Fatalf("%s: say here what a %s can be", field.Name, field.Type)
	}
	return o
}

// TestSiteOptionsReplaceDefaults asks every option there is.
func TestSiteOptionsReplaceDefaults(t *testing.T) {
	for name, field := range optionsOf(reflect.TypeFor[Options]()) {
		near, far := withOption(t, field, "near"), withOption(t, field, "the default")
		if got := (Options{}).over(far); !reflect.DeepEqual(got, far) {
			t.Errorf("%s: a site without it has %+v", name, got)
		}
		if got := near.over(Options{}); !reflect.DeepEqual(got, near) {
			t.Errorf("%s: without a default a site has %+v", name, got)
		}
		if got := near.over(far); !reflect.DeepEqual(got, near) {
			t.Errorf("%s: with both a site has %+v", name, got)
		}
	}
}

// TestBlocksReplaceDefaultsWhole: what a site's block leaves open isn't taken
// from the default's block.
func TestBlocksReplaceDefaultsWhole(t *testing.T) {
	site := Options{Code: &Code{Length: 8}, Session: &Session{Cookie: "a"}, Token: &Token{Lifetime: 1}}
	defaults := Options{Code: &Code{Attempts: 3}, Session: &Session{Domain: "example.com"}, Token: &Token{Refresh: 2}}
	if got := site.over(defaults); !reflect.DeepEqual(got, site) {
		t.Errorf("%+v", got)
	}
}

func TestThrottlesReplaceDefaultsByScope(t *testing.T) {
	line := func(scope string, events int) Throttle {
		return Throttle{Scope: scope, Events: events, Window: caddy.Duration(time.Hour)}
	}
	limit := func(events int) []otp.Throttle { return []otp.Throttle{{Events: events, Window: time.Hour}} }
	builtIn := otp.DefaultThrottles()
	for name, c := range map[string]struct {
		site, global []Throttle
		want         otp.Throttles
	}{
		"nothing":          {nil, nil, builtIn},
		"a site's line":    {[]Throttle{line("address", 1)}, nil, otp.Throttles{Address: limit(1), ClientIP: builtIn.ClientIP}},
		"a default":        {nil, []Throttle{line("client_ip", 2)}, otp.Throttles{Address: builtIn.Address, ClientIP: limit(2)}},
		"global":           {[]Throttle{line("address", 1)}, []Throttle{line("global", 9)}, otp.Throttles{Address: limit(1), ClientIP: builtIn.ClientIP, Global: limit(9)}},
		"one scope of two": {[]Throttle{line("address", 1)}, []Throttle{line("address", 2), line("client_ip", 3)}, otp.Throttles{Address: limit(1), ClientIP: limit(3)}},
	} {
		t.Run(name, func(t *testing.T) {
			merged := Options{Throttles: c.site}.over(Options{Throttles: c.global})
			if got := throttles(merged.Throttles); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%+v, not %+v", got, c.want)
			}
		})
	}
}

// TestSitesDoNotShareWhatTheyResolve: the defaults are used by all sites, so
// no site may write into them.
func TestSitesDoNotShareWhatTheyResolve(t *testing.T) {
	t.Setenv("OTP_TEST_DOMAIN", "localhost.example")
	t.Setenv("OTP_TEST_ALLOWED", "alice@example.com bob@example.com")
	config := jsonOf(t, caddyfileOf(
		"allow {env.OTP_TEST_ALLOWED}\nsession {\n\tdomain {env.OTP_TEST_DOMAIN}\n}\nmfa {\n\tissuer {env.OTP_TEST_DOMAIN}\n}\napi auth0 {\n\tclient {env.OTP_TEST_DOMAIN}\n}\nemail log insecure\nheader {env.OTP_TEST_DOMAIN} user",
		"public_url https://a.localhost.example", "public_url https://b.localhost.example"))
	handlers, err := provision(t, config)
	if err != nil {
		t.Fatal(err)
	}
	a, b := handlers[0], handlers[1]
	if &a.Headers[0] == &b.Headers[0] || a.Headers[0].Name != "localhost.example" || b.Headers[0].Name != "localhost.example" {
		t.Errorf("headers are %+v and %+v", a.Headers, b.Headers)
	}
	if want := []string{"alice@example.com", "bob@example.com"}; !slices.Equal(a.Allow, want) || !slices.Equal(b.Allow, want) {
		t.Errorf("allow is %q and %q", a.Allow, b.Allow)
	}
	if a.MFA == b.MFA || a.MFA.Issuer != "localhost.example" || b.MFA.Issuer != "localhost.example" {
		t.Errorf("mfa is %+v and %+v", a.MFA, b.MFA)
	}
	if a.Session == b.Session || a.Session.Domain != "localhost.example" || b.Session.Domain != "localhost.example" {
		t.Errorf("session is %+v and %+v", a.Session, b.Session)
	}
	if &a.APIs[0].Clients[0] == &b.APIs[0].Clients[0] || b.APIs[0].Clients[0].ID != "localhost.example" {
		t.Errorf("apis are %+v and %+v", a.APIs, b.APIs)
	}
}

// TestModulesAreRegistered pins the names that configurations use.
func TestModulesAreRegistered(t *testing.T) {
	for _, id := range []string{
		"otp", "http.handlers.otp", "otp.stores.bolt", "otp.stores.redis",
		"otp.directories.file", "otp.directories.http",
		"otp.senders.file", "otp.senders.http", "otp.senders.log", "otp.senders.smtp",
	} {
		module, err := caddy.GetModule(id)
		if err != nil {
			t.Error(err)
			continue
		}
		if got := module.New().CaddyModule().ID; string(got) != id {
			t.Errorf("%s makes a %s", id, got)
		}
	}
}
