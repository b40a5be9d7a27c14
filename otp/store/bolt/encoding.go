// SPDX-License-Identifier: Apache-2.0

package bolt

import "encoding/binary"

// encoder appends numbers as varints and texts with their length in front.
type encoder []byte

func (e *encoder) number(n int64) { *e = binary.AppendVarint(*e, n) }

func (e *encoder) text(s string) {
	e.number(int64(len(s)))
	*e = append(*e, s...)
}

// decoder reads what an encoder wrote. After the first thing that can't be
// read everything is zero; done tells.
type decoder struct {
	rest []byte
	bad  bool
}

func (d *decoder) number() int64 {
	n, size := binary.Varint(d.rest)
	if size <= 0 {
		d.bad, d.rest = true, nil
		return 0
	}
	d.rest = d.rest[size:]
	return n
}

func (d *decoder) text() string {
	n := d.number()
	if n < 0 || n > int64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return ""
	}
	s := string(d.rest[:n])
	d.rest = d.rest[n:]
	return s
}

// count reads how many of something follow, each of at least one byte.
func (d *decoder) count() int {
	n := d.number()
	if n < 0 || n > int64(len(d.rest)) {
		d.bad, d.rest = true, nil
		return 0
	}
	return int(n)
}

// isEmpty reports whether nothing is left to read.
func (d *decoder) isEmpty() bool { return len(d.rest) == 0 }

// done returns an error unless all was read and nothing is left.
func (d *decoder) done() error {
	if d.bad || len(d.rest) > 0 {
		return errEntry
	}
	return nil
}
