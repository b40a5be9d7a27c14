// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"net/http"
	"strconv"

	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// ProblemsPath returns the path below which the types of problems are
// explained, given that of the site's pages.
func ProblemsPath(pagesPath string) string { return pagesPath + "/problems" }

// typeOf returns the address that names a type of problems and explains it
// (RFC 9457 §3.1.1).
func (d *dialect) typeOf(k *kind) string {
	return d.Service.PublicURL().String() + ProblemsPath(d.PagesPath) + "/" + k.name
}

// explanations are the endpoints at the types' addresses.
func (d *dialect) explanations() []wire.Endpoint {
	var endpoints []wire.Endpoint
	for _, e := range explanations {
		endpoints = append(endpoints, wire.Endpoint{
			Method:     http.MethodGet,
			Path:       ProblemsPath(d.PagesPath) + "/" + e.kind.name,
			Documented: true,
			Serve:      func(w http.ResponseWriter, r *http.Request) { d.explain(w, r, e) },
		})
	}
	return endpoints
}

// explained is a type of problems as programs get it. What is in a language is
// in the one that the request prefers.
type explained struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Code     int    `json:"code"`
	I18nKey  string `json:"i18n_key"`
	Meaning  string `json:"meaning"`
	WhatToDo string `json:"what_to_do"`
	Language string `json:"language"`
}

// explain answers with what a type of problems means: a page for people, JSON
// for programs.
func (d *dialect) explain(w http.ResponseWriter, r *http.Request, e explanation) {
	k, language := e.kind, languageOf(r).String()
	w.Header().Add("Vary", "Accept, Accept-Language")
	if wantsHTML(r) {
		d.ShowPage(w, wire.Page{
			Language: language,
			Title:    k.title,
			Text: []string{
				"HTTP " + strconv.Itoa(k.status) + " · code " + strconv.Itoa(k.code),
				e.meaning.in(r),
				e.toDo.in(r),
			},
		})
		return
	}
	w.Header().Set("Content-Language", language)
	wire.WriteJSON(w, http.StatusOK, explained{
		Type:     d.typeOf(k),
		Title:    k.title,
		Status:   k.status,
		Code:     k.code,
		I18nKey:  k.i18nKey(),
		Meaning:  e.meaning.in(r),
		WhatToDo: e.toDo.in(r),
		Language: language,
	})
}
