// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-otp/caddy-otp/otp"
)

const directoryNamespace = "otp.directories"

// parseDirectory reads `directory <kind> <args>...` by the directory's module.
func parseDirectory(d *caddyfile.Dispenser) (json.RawMessage, error) {
	if !d.NextArg() {
		return nil, usage(d, "directory", "file <path>` or `directory http <url>")
	}
	kind := d.Val()
	if _, err := caddy.GetModule(directoryNamespace + "." + kind); err != nil {
		return nil, d.Errf("unknown directory %q; write one of: %s", kind, strings.Join(directoryKinds(), ", "))
	}
	module, err := caddyfile.UnmarshalModule(d, directoryNamespace+"."+kind)
	if err != nil {
		return nil, err
	}
	return caddyconfig.JSONModuleObject(module, "directory", kind, nil), nil
}

func directoryKinds() []string {
	var kinds []string
	for _, module := range caddy.GetModules(directoryNamespace) {
		kinds = append(kinds, module.ID.Name())
	}
	return kinds
}

// loadDirectory returns who may sign in, or nil without a directory, and what
// tells it from those of other sites.
func (h *Handler) loadDirectory(ctx caddy.Context) (directory otp.Directory, name string, err error) {
	if len(h.DirectoryRaw) == 0 {
		return nil, "", nil
	}
	module, err := ctx.LoadModule(h, "DirectoryRaw")
	if err != nil {
		return nil, "", fmt.Errorf("directory: %w", err)
	}
	directory, ok := module.(otp.Directory)
	if !ok {
		return nil, "", fmt.Errorf("directory: %T is no directory", module)
	}
	name = directory.(caddy.Module).CaddyModule().ID.Name()
	if service, ok := directory.(*HTTPDirectory); ok {
		name += " " + service.URL // a file is never out of reach once it was read
	}
	return directory, name, nil
}
