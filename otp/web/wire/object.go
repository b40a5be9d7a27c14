// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// Object is a parsed JSON object or form. Keys are exact; a key whose value
// is null is absent. Numbers are json.Number, nested objects Object, arrays
// []any.
type Object map[string]any

// Has reports whether a key is there and isn't null.
func (o Object) Has(key string) bool { return o[key] != nil }

// String returns a key's text. ok is false where it is absent or no string.
func (o Object) String(key string) (text string, ok bool) {
	text, ok = o[key].(string)
	return text, ok
}

// Text returns a key's text, or "" where it is absent or no string.
func (o Object) Text(key string) string {
	text, _ := o.String(key)
	return text
}

// Bool returns a key's truth. ok is false where it is absent or no boolean.
func (o Object) Bool(key string) (value, ok bool) {
	value, ok = o[key].(bool)
	return value, ok
}

// Object returns a nested object, or false where it is absent or no object.
func (o Object) Object(key string) (Object, bool) {
	nested, ok := o[key].(Object)
	return nested, ok
}

// Unknown returns the keys that aren't among those named, sorted.
func (o Object) Unknown(known ...string) []string {
	var unknown []string
	for _, key := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(known, key) {
			unknown = append(unknown, key)
		}
	}
	return unknown
}

// maxDepth is how deeply objects and arrays may be nested.
const maxDepth = 16

// parseObject reads exactly one JSON object (RFC 8259), more strictly than
// encoding/json does by itself: a key given twice in an object, data after
// it, or text that isn't UTF-8 makes it malformed.
func parseObject(body []byte) (Object, error) {
	if !utf8.Valid(body) {
		return nil, ErrMalformed
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var object Object
	if err := d.Decode(&object); err != nil || object == nil {
		return nil, ErrMalformed
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, ErrMalformed
	}
	if members, ok := object.check(0); !ok || members != countMembers(body) {
		return nil, ErrMalformed
	}
	return object, nil
}

// countMembers counts the members of all objects in a JSON text.
func countMembers(text []byte) (members int) {
	inString := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			inString = !inString
		case inString && c == '\\':
			i++ // what follows ends no string
		case !inString && c == ':':
			members++
		}
	}
	return members
}

// check makes nested objects Objects and counts all members. ok is false where
// something isn't text, or is nested too deeply.
func (o Object) check(depth int) (members int, ok bool) {
	for key, value := range o {
		value, more, ok := checkValue(value, depth+1)
		if !ok || !validText(key) {
			return 0, false
		}
		o[key] = value
		members += 1 + more
	}
	return members, true
}

func checkValue(value any, depth int) (checked any, members int, ok bool) {
	if depth > maxDepth {
		return nil, 0, false
	}
	switch value := value.(type) {
	case string:
		return value, 0, validText(value)
	case map[string]any:
		members, ok = Object(value).check(depth)
		return Object(value), members, ok
	case []any:
		for i, element := range value {
			element, more, ok := checkValue(element, depth+1)
			if !ok {
				return nil, 0, false
			}
			value[i] = element
			members += more
		}
		return value, members, true
	}
	return value, 0, true
}

// validText refuses what encoding/json puts in place of a lone surrogate, and
// bytes that aren't UTF-8 (in forms).
func validText(s string) bool {
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError {
			return false
		}
		i += size
	}
	return true
}
