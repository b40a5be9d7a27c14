// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Success is how a provider says that it took a message.
type Success struct {
	// Statuses are such as 200, 202 or 2xx. Default: 2xx.
	Statuses []string
	// Path leads to a value in the JSON of the answer: keys and, in arrays,
	// indexes, with dots between them (messages.0.status). Empty: the status
	// is enough.
	Path string
	// Value is what must be found there: a string, or a number, true, false or
	// null as JSON has them.
	Value string
}

// ParseSuccess reads the words of a success line: statuses and, after them, a
// path and its value.
func ParseSuccess(words ...string) (Success, error) {
	var s Success
	for len(words) > 0 && isStatus(words[0]) {
		s.Statuses, words = append(s.Statuses, words[0]), words[1:]
	}
	switch len(words) {
	case 0:
	case 2:
		s.Path, s.Value = words[0], words[1]
	default:
		return s, fmt.Errorf("success can't be read from %q on; write statuses such as 2xx or 202, then at most one path and its value, such as status ok", words[0])
	}
	return s, s.validate()
}

func (s Success) validate() error {
	for _, status := range s.Statuses {
		if !isStatus(status) {
			return fmt.Errorf("success %q is no status; write one such as 202 or 2xx", status)
		}
	}
	if s.Path == "" && s.Value != "" {
		return fmt.Errorf("success value %q has no path to where it is found", s.Value)
	}
	return nil
}

// isStatus reports whether s is a status that ends an exchange, or a class of
// them. Redirects aren't followed, so they are never a success.
func isStatus(s string) bool {
	if len(s) != 3 || s[0] != '2' && s[0] != '4' && s[0] != '5' {
		return false
	}
	return s[1:] == "xx" || '0' <= s[1] && s[1] <= '9' && '0' <= s[2] && s[2] <= '9'
}

func (s Success) hasStatus(code int) bool {
	if len(s.Statuses) == 0 {
		return code/100 == 2
	}
	for _, status := range s.Statuses {
		if status == strconv.Itoa(code) || status[1:] == "xx" && int(status[0]-'0') == code/100 {
			return true
		}
	}
	return false
}

// holds reports whether the answer has the value at the path.
func (s Success) holds(answer []byte) bool {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	var at any
	if err := decoder.Decode(&at); err != nil {
		return false
	}
	for _, key := range strings.Split(s.Path, ".") {
		switch node := at.(type) {
		case map[string]any:
			next, ok := node[key]
			if !ok {
				return false
			}
			at = next
		case []any:
			i, err := strconv.ParseUint(key, 10, 31)
			if err != nil || i >= uint64(len(node)) {
				return false
			}
			at = node[i]
		default:
			return false
		}
	}
	switch found := at.(type) {
	case string:
		return found == s.Value
	case json.Number:
		return found.String() == s.Value
	case bool:
		return strconv.FormatBool(found) == s.Value
	case nil:
		return s.Value == "null"
	}
	return false
}
