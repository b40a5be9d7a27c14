// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

// position is a place in a text, both from 1. The column counts bytes, as
// editors' "go to" does for ASCII.
type position struct{ line, column int }

// at adds the place to an error, with the key that is wrong there, if it is
// about one.
func (p position) at(key string, err error) error {
	if key != "" {
		key = " (" + key + ")"
	}
	return fmt.Errorf("line %d, column %d%s: %w", p.line, p.column, key, err)
}

// locator tells the positions of offsets that only grow.
type locator struct {
	text         []byte
	offset, line int
	lineStart    int
}

func newLocator(text []byte) *locator { return &locator{text: text, line: 1} }

func (l *locator) position(offset int) position {
	offset = min(offset, len(l.text))
	for {
		end := bytes.IndexByte(l.text[l.offset:max(offset, l.offset)], '\n')
		if end < 0 {
			return position{l.line, offset - l.lineStart + 1}
		}
		l.offset += end + 1
		l.line++
		l.lineStart = l.offset
	}
}

// decoded returns a text without its byte order mark, if it is UTF-8.
func decoded(text []byte) ([]byte, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if utf8.Valid(text) {
		return text, nil
	}
	valid := 0
	for {
		r, size := utf8.DecodeRune(text[valid:])
		if r == utf8.RuneError && size == 1 {
			return nil, newLocator(text).position(valid).at("", errors.New("not UTF-8; save the file in this encoding (Excel: \"CSV UTF-8\")"))
		}
		valid += size
	}
}
