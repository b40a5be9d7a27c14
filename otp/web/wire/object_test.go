// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseObject(t *testing.T) {
	for _, tc := range []struct {
		body string
		want Object
	}{
		{`{}`, Object{}},
		{" \t\r\n{ } \n", Object{}},
		{`{"a":"b"}`, Object{"a": "b"}},
		{`{"a":null}`, Object{"a": nil}},
		{`{"a":true,"A":false}`, Object{"a": true, "A": false}}, // keys are exact
		{`{"skip":1,"ſkip":2}`, Object{"skip": json.Number("1"), "ſkip": json.Number("2")}},
		{`{"":""}`, Object{"": ""}},
		{`{"a":{"a":[1,"x",null,{"b":false}]}}`, Object{"a": Object{"a": []any{json.Number("1"), "x", nil, Object{"b": false}}}}},
		{`{"n":1e999999999}`, Object{"n": json.Number("1e999999999")}},
		{`{"n":123456789012345678901234567890}`, Object{"n": json.Number("123456789012345678901234567890")}},
		{`{"a":"\ud83d\ude00"}`, Object{"a": "😀"}},
		{`{"a":"\u0000\r\u000a"}`, Object{"a": "\x00\r\n"}},
		{"{\"a\":\"\r\n\"}", nil}, // as they are
		{`{"a":` + strings.Repeat("[", 15) + strings.Repeat("]", 15) + `}`, Object{"a": nested(15)}},

		{"", nil}, {" ", nil}, {"null", nil}, {"[]", nil}, {`[{}]`, nil}, {`"a"`, nil}, {"1", nil}, {"true", nil}, {"a", nil},
		{`{`, nil}, {`}`, nil}, {`{"a"}`, nil}, {`{"a":}`, nil}, {`{"a":1`, nil}, {`{"a":1,}`, nil}, {`{,"a":1}`, nil}, {`{"a":1 "b":2}`, nil},
		{`{"a" 1}`, nil}, {`{a:1}`, nil}, {`{'a':1}`, nil}, {`{1:1}`, nil}, {`{"a":[1}`, nil}, {`{"a":[1,]}`, nil}, {`{"a":[1 2]}`, nil}, {`{"a":[,1]}`, nil},
		{`{"a":01}`, nil}, {`{"a":+1}`, nil}, {`{"a":NaN}`, nil}, {`{"a":tru}`, nil}, {`{"a":0x1}`, nil}, {`{"a":1.}`, nil},
		{`{}{}`, nil}, {`{} x`, nil}, {`{},`, nil}, {`{}]`, nil}, {`{}}`, nil}, {`{}null`, nil}, {`{}//`, nil}, {"{}\x00", nil}, {"\ufeff{}", nil},
		{`{"a":1,"a":2}`, nil}, {`{"a":1,"a":1}`, nil}, {`{"a":null,"a":1}`, nil}, {`{"a":1,"\u0061":2}`, nil}, {`{"x":{"a":1,"a":2}}`, nil}, {`{"x":[{"a":1,"a":2}]}`, nil},
		{"{\"a\":\"\xff\"}", nil}, {"{\"\xff\":1}", nil}, {"{\"a\":\"\xc0\xaf\"}", nil}, {"{\"a\":\"\xed\xa0\x80\"}", nil},
		{`{"a":"\ud800"}`, nil}, {`{"a":"\udc00\ud800"}`, nil}, {`{"a":"\ud800x"}`, nil}, {`{"\ud800":1}`, nil}, {`{"a":["\ud800"]}`, nil},
		{"{\"a\":\"\n\"}", nil}, {"{\"a\":\"\x01\"}", nil}, {`{"a":"\x41"}`, nil},
		{`{"a":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, Object{"a": nested(16)}},
		{`{"a":` + strings.Repeat("[", 17) + strings.Repeat("]", 17) + `}`, nil},
		{strings.Repeat(`{"a":`, 18) + "1" + strings.Repeat("}", 18), nil},
		{strings.Repeat(`{"a":`, 4000), nil},
		{strings.Repeat(`[`, MaxBody), nil},
	} {
		got, err := parseObject([]byte(tc.body))
		if tc.want == nil {
			if !errors.Is(err, ErrMalformed) || got != nil {
				t.Errorf("%.60q is read as %v, %v", tc.body, got, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, tc.want) {
			t.Errorf("%.60q is read as %#v, %v; want %#v", tc.body, got, err, tc.want)
		}
	}
}

// nested is an array in an array, so many deep.
func nested(depth int) any {
	value := []any{}
	for range depth - 1 {
		value = []any{value}
	}
	return value
}

func TestObject(t *testing.T) {
	o, err := parseObject([]byte(`{"text":"x","empty":"","null":null,"yes":true,"number":1,"object":{"a":"b"},"array":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]bool{"text": true, "empty": true, "null": false, "Text": false, "missing": false, "number": true} {
		if o.Has(key) != want {
			t.Errorf("Has(%q) is %v", key, !want)
		}
	}
	for key, want := range map[string]string{"text": "x", "empty": "", "null": "", "number": "", "object": "", "TEXT": "", "missing": ""} {
		text, ok := o.String(key)
		if text != want || o.Text(key) != want || ok != (key == "text" || key == "empty") {
			t.Errorf("String(%q) is %q, %v", key, text, ok)
		}
	}
	if value, ok := o.Bool("yes"); !value || !ok {
		t.Error("yes isn't true")
	}
	for _, key := range []string{"text", "null", "number", "missing"} {
		if value, ok := o.Bool(key); value || ok {
			t.Errorf("Bool(%q) is %v, %v", key, value, ok)
		}
	}
	if nested, ok := o.Object("object"); !ok || nested.Text("a") != "b" {
		t.Errorf("Object is %v, %v", nested, ok)
	}
	for _, key := range []string{"text", "null", "array", "missing"} {
		if nested, ok := o.Object(key); ok {
			t.Errorf("Object(%q) is %v", key, nested)
		}
	}
	if got := o.Unknown("text", "empty", "null", "yes", "number"); !slices.Equal(got, []string{"array", "object"}) {
		t.Errorf("unknown are %q", got)
	}
	var none Object
	if none.Has("a") || none.Text("a") != "" || none.Unknown() != nil {
		t.Error("no object has something")
	}
}

func FuzzParseObject(f *testing.F) {
	for _, seed := range []string{
		`{"identifier":"me","identifier":"victim"}`, `{"a":[1,{"b":null}],"c":"\ud83d\ude00"}`, `{"a":"\ud800"}`, `{"a":1}{}`, `{"a":1e400}`, `{"a":[1}`,
		"{\"\xff\":1}", `[[[[`, ` {} `, `{"a":1,}`, `{"ſ":1,"S":2}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseObject(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || o != nil {
				t.Fatalf("%v, %v", o, err)
			}
			return
		}
		if !json.Valid(body) || !utf8.Valid(body) {
			t.Fatalf("%q isn't JSON", body)
		}
		encoded, err := json.Marshal(o)
		if err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		again, err := parseObject(encoded)
		if err != nil || !reflect.DeepEqual(again, o) {
			t.Fatalf("%q became %q: %v, %v", body, encoded, again, err)
		}
	})
}

func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{"a=b&c=d", "a=b&a=c", "a;b=c", "a=%ff", "%zz=1", "=", "a", "a=b&", "a=+%2B"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := parseForm(body)
		if err != nil {
			if !errors.Is(err, ErrMalformed) || o != nil {
				t.Fatalf("%v, %v", o, err)
			}
			return
		}
		for key, value := range o {
			if text, ok := value.(string); !ok || !utf8.ValidString(text) || !utf8.ValidString(key) {
				t.Fatalf("%q has %q: %q", body, key, value)
			}
		}
	})
}
