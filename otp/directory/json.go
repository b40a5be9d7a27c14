// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// parseJSON reads a list as JSON (RFC 8259): an array of objects, each with
// some of the keys email, phone, groups, subject, tenant and mfa. All but mfa
// are strings; email, phone, groups and tenant may be arrays of them, mfa is a
// boolean or one of the words of CSV. It is stricter than encoding/json:
// unknown or repeated keys, null and whatever follows the array are errors.
func parseJSON(text []byte) (*list, error) {
	text, err := decoded(text)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("the file is empty; write [] for nobody")
	}
	r := newJSONReader(text)
	b := newListBuilder()
	if err := r.delimiter('[', "an array of people"); err != nil {
		return nil, err
	}
	for r.d.More() {
		e, err := r.entry()
		if err != nil {
			return nil, err
		}
		if err := b.add(e, "object"); err != nil {
			return nil, err
		}
	}
	if err := r.delimiter(']', "a comma or the array's end"); err != nil {
		return nil, err
	}
	return &b.list, r.end()
}

// parsePerson reads one object of those that parseJSON reads. It needs no
// address.
func parsePerson(text []byte) (*entry, error) {
	text, err := decoded(text)
	if err != nil {
		return nil, err
	}
	r := newJSONReader(text)
	e, err := r.entry()
	if err != nil {
		return nil, err
	}
	return e, r.end()
}

// jsonReader reads token by token, so that each has its position and a large
// list needs no second representation.
type jsonReader struct {
	d     *json.Decoder
	where *locator
}

func newJSONReader(text []byte) *jsonReader {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return &jsonReader{d: d, where: newLocator(text)}
}

// token returns the next token and its position.
func (r *jsonReader) token() (json.Token, position, error) {
	start := int(r.d.InputOffset())
	for start < len(r.where.text) && strings.IndexByte(" \t\r\n,:", r.where.text[start]) >= 0 {
		start++
	}
	where := r.where.position(start)
	token, err := r.d.Token()
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return nil, where, where.at("", errors.New("the text ends here, in the middle; is it cut short?"))
	case err != nil:
		return nil, where, where.at("", errors.New("no JSON; is a comma, a quote or a brace missing, or too many?"))
	}
	return token, where, nil
}

func (r *jsonReader) delimiter(want json.Delim, expected string) error {
	token, where, err := r.token()
	if err == nil && token != want {
		err = where.at("", fmt.Errorf("%s was expected here", expected))
	}
	return err
}

// end refuses what follows a value.
func (r *jsonReader) end() error {
	start := r.d.InputOffset()
	rest := bytes.TrimLeft(r.where.text[start:], " \t\r\n")
	if len(rest) == 0 {
		return nil
	}
	return r.where.position(len(r.where.text)-len(rest)).at("", errors.New("something follows the end; remove it"))
}

// entry reads an object.
func (r *jsonReader) entry() (*entry, error) {
	token, where, err := r.token()
	if err != nil {
		return nil, err
	}
	if token != json.Delim('{') {
		return nil, where.at("", errors.New("an object was expected here, such as {\"email\": \"alice@example.com\"}"))
	}
	e := &entry{start: where}
	var seen [keyCount]bool
	for r.d.More() {
		token, where, err := r.token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		k, known := keyOf(name)
		if !known {
			return nil, where.at("", errUnknown("key", name))
		}
		if seen[k] {
			return nil, where.at(name, errors.New("this key stands twice; remove one"))
		}
		seen[k] = true
		if e.values[k], e.at[k], err = r.values(k); err != nil {
			return nil, err
		}
	}
	return e, r.delimiter('}', "a comma or the object's end")
}

// values reads what stands behind a key. A blank string is no value.
func (r *jsonReader) values(k key) ([]string, position, error) {
	token, where, err := r.token()
	if err != nil {
		return nil, where, err
	}
	isList := k != keySubject && k != keyMFA
	switch value := token.(type) {
	case string:
		if value == "" {
			return nil, where, nil
		}
		return []string{value}, where, nil
	case bool:
		if k == keyMFA {
			return []string{fmt.Sprint(value)}, where, nil
		}
	case json.Delim:
		if value == '[' && isList {
			values, err := r.strings(k)
			return values, where, err
		}
	}
	expected := "a string"
	switch {
	case k == keyMFA:
		expected = "true, false or \"required\""
	case isList:
		expected = "a string or an array of strings"
	}
	return nil, where, where.at(k.String(), fmt.Errorf("%s was expected here; leave the key out where there is none", expected))
}

// strings reads the rest of an array.
func (r *jsonReader) strings(k key) ([]string, error) {
	var all []string
	for r.d.More() {
		token, where, err := r.token()
		if err != nil {
			return nil, err
		}
		value, ok := token.(string)
		if !ok || value == "" {
			return nil, where.at(k.String(), errors.New("a string that isn't blank was expected here"))
		}
		all = append(all, value)
	}
	return all, r.delimiter(']', "a comma or the array's end")
}
