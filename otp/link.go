// SPDX-License-Identifier: Apache-2.0

package otp

import "encoding/json"

// Link is what an unopened link says. Nothing of it is readable to who holds
// the link, and reading it uses nothing up.
type Link struct {
	Address         Address
	Dialect, Client string
	Purpose         Purpose
	Tenant          string
	Payload         []byte

	// asker is the browser that asked for it; any may redeem it.
	asker  KnownBrowser
	secret string
}

type linkDetails struct {
	Channel Channel `json:"ch"`
	Address string  `json:"addr"`
	Dialect string  `json:"d"`
	Client  string  `json:"c,omitempty"`
	Purpose Purpose `json:"p"`
	Tenant  string  `json:"t,omitempty"`
	Payload []byte  `json:"x,omitempty"`
	// OwnBudget is the known browser by whose own budget it was asked for; any
	// browser may redeem it.
	OwnBudget string `json:"k,omitempty"`
	Secret    string `json:"s"`
}

const linkUse = "link"

// newLink returns the token of a new link with 256 bits of its own, and the
// tag to keep.
func (s *Service) newLink(r StartRequest, bound boundTenant) (token string, tag Tag, err error) {
	secret := randomText(32)
	plain, err := json.Marshal(linkDetails{
		Channel: r.Address.channel,
		Address: r.Address.canonical,
		Dialect: r.Dialect,
		Client:  r.Client,
		Purpose: r.Purpose,
		Tenant:  r.Tenant,
		Payload: r.LinkPayload,

		OwnBudget: r.KnownBrowser.budget(),
		Secret:    secret,
	})
	if err != nil {
		return "", "", err
	}
	tag = s.keys.tag(s.tagParts(linkTag, r.Dialect, r.Client, r.Address, r.Purpose, bound, secret)...)
	return s.links.SealText(plain, s.realm), tag, nil
}

// OpenLink reads a link's token without judging it. It returns [ErrWrong]
// where the token isn't one of this realm.
func (s *Service) OpenLink(token string) (Link, error) {
	plain, _, err := s.links.OpenText(token, s.realm)
	if err != nil {
		return Link{}, ErrWrong
	}
	var d linkDetails
	if err := json.Unmarshal(plain, &d); err != nil {
		return Link{}, ErrWrong
	}
	return Link{
		Address: RestoreAddress(d.Channel, d.Address),
		Dialect: d.Dialect,
		Client:  d.Client,
		Purpose: d.Purpose,
		Tenant:  d.Tenant,
		Payload: d.Payload,

		asker:  KnownBrowser{ID: d.OwnBudget, OwnBudget: true},
		secret: d.Secret,
	}, nil
}
