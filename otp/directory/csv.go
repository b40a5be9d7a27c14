// SPDX-License-Identifier: Apache-2.0

package directory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// parseCSV reads a list as CSV (RFC 4180, with any line ends). Its first row
// names the columns, in any order and case: email and phone, of which there
// is at least one, groups, subject, tenant and mfa. Cells are separated by
// commas or, where the first row has them, by semicolons (Excel's in many
// countries). Several values in a cell are separated by blanks or semicolons;
// a phone number may hold blanks, and ends where the next one's + stands.
// Rows whose cells are all blank are skipped.
func parseCSV(text []byte) (*list, error) {
	text, err := decoded(text)
	if err != nil {
		return nil, err
	}
	r := csv.NewReader(bytes.NewReader(text))
	r.ReuseRecord = true
	header, _, _ := bytes.Cut(bytes.TrimLeft(text, "\r\n"), []byte("\n"))
	if bytes.ContainsRune(header, ';') && !bytes.ContainsRune(header, ',') {
		r.Comma = ';'
	}
	columns, err := readHeader(r)
	if err != nil {
		return nil, err
	}
	b := newListBuilder()
	for {
		row, err := r.Read()
		if err == io.EOF {
			return &b.list, nil
		}
		if err != nil {
			return nil, rowError(err, len(columns))
		}
		e, blank := rowEntry(r, columns, row)
		if blank {
			continue
		}
		if err := b.add(e, "row"); err != nil {
			return nil, err
		}
	}
}

// readHeader returns the keys of the columns.
func readHeader(r *csv.Reader) ([]key, error) {
	row, err := r.Read()
	if err == io.EOF {
		return nil, errors.New("the file is empty; its first row names the columns, such as email,groups")
	}
	if err != nil {
		return nil, rowError(err, 0)
	}
	var columns []key
	for i, cell := range row {
		line, column := r.FieldPos(i)
		where := position{line, column}
		name := strings.ToLower(strings.TrimSpace(cell))
		k, known := keyOf(name)
		if !known {
			return nil, where.at("", fmt.Errorf("%w (the first row names the columns)", errUnknown("column", name)))
		}
		if slices.Contains(columns, k) {
			return nil, where.at(name, errors.New("this column stands twice; remove one"))
		}
		columns = append(columns, k)
	}
	if !slices.Contains(columns, keyEmail) && !slices.Contains(columns, keyPhone) {
		return nil, position{1, 1}.at("", errors.New("the list has no addresses; add a column email or phone"))
	}
	return columns, nil
}

// rowEntry returns the entry of a row, and whether all of it is blank.
func rowEntry(r *csv.Reader, columns []key, row []string) (e *entry, blank bool) {
	e, blank = new(entry), true
	for i, k := range columns {
		line, column := r.FieldPos(i)
		e.at[k] = position{line, column}
		e.values[k] = cellValues(k, row[i])
		blank = blank && len(e.values[k]) == 0
	}
	line, column := r.FieldPos(0)
	e.start = position{line, column}
	return e, blank
}

func cellValues(k key, cell string) []string {
	if k == keyPhone {
		return phones(cell)
	}
	return strings.FieldsFunc(cell, func(c rune) bool { return c == ';' || isBlank(c) })
}

func isBlank(c rune) bool { return strings.ContainsRune(" \t\r\n\u00a0", c) }

// phones splits a cell of phone numbers before each +.
func phones(cell string) []string {
	var all []string
	for part := range strings.SplitSeq(cell, ";") {
		for {
			part = strings.TrimFunc(part, isBlank)
			if part == "" {
				break
			}
			end := strings.IndexByte(part[1:], '+') + 1
			if end == 0 {
				end = len(part)
			}
			all = append(all, strings.TrimFunc(part[:end], isBlank))
			part = part[end:]
		}
	}
	return all
}

// rowError words an error of encoding/csv.
func rowError(err error, columns int) error {
	failed, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		return err
	}
	where := position{failed.Line, failed.Column}
	switch failed.Err {
	case csv.ErrFieldCount:
		return where.at("", fmt.Errorf("this row hasn't %d cells as the first row has; a cell with a separator in it stands in quotes", columns))
	case csv.ErrQuote, csv.ErrBareQuote:
		return where.at("", errors.New("a quote is out of place; a cell with quotes stands in quotes itself, and each in it is written twice"))
	}
	return where.at("", failed.Err)
}
