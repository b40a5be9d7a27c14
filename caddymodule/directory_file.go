// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"fmt"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/directory"
)

func init() { caddy.RegisterModule(FileDirectory{}) }

// FileDirectory lets those sign in who are in a file, CSV or JSON. Changes are
// followed within a second; an edit with a mistake in it keeps the last good
// list, and the log says what is wrong.
type FileDirectory struct {
	// The file, whose name ends in `.csv` or `.json`. CSV begins with a row
	// that names its columns: `email`, `phone`, `groups`, `subject`, `tenant`
	// and `mfa`, any of them in any order, with several values in a cell
	// separated by blanks. JSON is an array of objects with the same keys.
	Path string `json:"path,omitempty"`

	otp.Directory `json:"-"`

	file *directory.File
}

// CaddyModule returns the Caddy module information.
func (FileDirectory) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: directoryNamespace + ".file", New: func() caddy.Module { return new(FileDirectory) }}
}

// Provision reads the file and begins to follow it. A list that can't be used
// is refused here: without one nobody could sign in.
func (f *FileDirectory) Provision(ctx caddy.Context) error {
	path, err := replaced(caddy.NewReplacer(), "directory file", f.Path)
	if err != nil {
		return err
	}
	if path != "" { // errors say where a relative one leads from Caddy's working directory
		if path, err = filepath.Abs(path); err != nil {
			return fmt.Errorf("directory file: %w", err)
		}
	}
	file, err := directory.OpenFile(path, ctx.Slogger())
	if err != nil {
		return err
	}
	file.Start(nil)
	f.file, f.Directory = file, file
	return nil
}

// Cleanup ends what Provision began, as far as it came.
func (f *FileDirectory) Cleanup() error {
	if f.file != nil {
		f.file.Stop()
	}
	return nil
}

// UnmarshalCaddyfile reads
//
//	file <path>
func (f *FileDirectory) UnmarshalCaddyfile(d *caddyfile.Dispenser) (err error) {
	d.Next() // the directory's kind
	if f.Path, err = argument(d, "directory file", "<path>"); err != nil {
		return err
	}
	if err := unlessPlaceholder(f.Path, directory.CheckPath); err != nil {
		return d.WrapErr(err)
	}
	return noBlock(d, "directory file")
}

// Interface guards
var (
	_ otp.Directory         = (*FileDirectory)(nil)
	_ caddy.Provisioner     = (*FileDirectory)(nil)
	_ caddy.CleanerUpper    = (*FileDirectory)(nil)
	_ caddyfile.Unmarshaler = (*FileDirectory)(nil)
)
