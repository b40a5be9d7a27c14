// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	goredis "github.com/redis/go-redis/v9"
)

func init() { caddy.RegisterModule(new(caddyReference)) }

// caddyReference is the reference as a handler of Caddy's: what it does less
// than the bare one is what Caddy itself takes.
type caddyReference struct {
	// Redis is the URL of its Redis.
	Redis string `json:"redis"`

	reference reference
}

func (*caddyReference) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.reference", New: func() caddy.Module { return new(caddyReference) }}
}

func (h *caddyReference) Provision(caddy.Context) error {
	options, err := goredis.ParseURL(h.Redis)
	if err != nil {
		return err
	}
	h.reference = reference{goredis.NewClient(options)}
	return nil
}

func (h *caddyReference) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	h.reference.ServeHTTP(w, r)
	return nil
}

// serveCaddyReference runs a Caddy with that handler alone, until its end.
func serveCaddyReference(addr, redis string) error {
	handler := caddyconfig.JSONModuleObject(&caddyReference{Redis: redis}, "handler", "reference", nil)
	server := &caddyhttp.Server{
		Listen:    []string{addr},
		Routes:    caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{handler}, Terminal: true}},
		AutoHTTPS: &caddyhttp.AutoHTTPSConfig{Disabled: true},
	}
	off := false
	err := caddy.Run(&caddy.Config{
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{caddy.DefaultLoggerName: {BaseLog: caddy.BaseLog{Level: "ERROR"}}}},
		Admin:   &caddy.AdminConfig{Disabled: true, Config: &caddy.ConfigSettings{Persist: &off}},
		AppsRaw: caddy.ModuleMap{"http": caddyconfig.JSON(caddyhttp.App{Servers: map[string]*caddyhttp.Server{"reference": server}}, nil)},
	})
	if err != nil {
		return fmt.Errorf("the reference in Caddy: %w", err)
	}
	select {}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*caddyReference)(nil)
	_ caddyhttp.MiddlewareHandler = (*caddyReference)(nil)
)
