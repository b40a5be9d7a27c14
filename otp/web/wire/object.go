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
	value, err := parseValue(d, 0)
	if err != nil {
		return nil, ErrMalformed
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, ErrMalformed
	}
	object, ok := value.(Object)
	if !ok {
		return nil, ErrMalformed
	}
	return object, nil
}

func parseValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, ErrMalformed
	}
	switch token {
	case json.Delim('{'):
		return parseMembers(d, depth)
	case json.Delim('['):
		return parseElements(d, depth)
	}
	if text, ok := token.(string); ok && !validText(text) {
		return nil, ErrMalformed
	}
	return token, nil
}

func parseMembers(d *json.Decoder, depth int) (any, error) {
	object := make(Object)
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := token.(string)
		if _, twice := object[key]; twice || !ok || !validText(key) {
			return nil, ErrMalformed
		}
		if object[key], err = parseValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return object, err
}

func parseElements(d *json.Decoder, depth int) (any, error) {
	elements := []any{}
	for d.More() {
		element, err := parseValue(d, depth+1)
		if err != nil {
			return nil, err
		}
		elements = append(elements, element)
	}
	_, err := d.Token()
	return elements, err
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
