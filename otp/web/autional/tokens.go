// SPDX-License-Identifier: Apache-2.0

package autional

import (
	"context"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
)

// tokens are what a login and a renewal have in common. The answer is flat:
// clients take a key named code for an envelope's.
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int    `json:"expires_in"`
	UserID       string `json:"user_id"`
	User         user   `json:"user"`
}

// user is the documented UserInfo. Nobody has a password here.
type user struct {
	ID                 string `json:"id"`
	Username           string `json:"username"`
	Email              string `json:"email"`
	Phone              string `json:"phone"`
	Status             string `json:"status"`
	CreatedAt          string `json:"created_at"`
	MustChangePassword bool   `json:"must_change_password"`
	PasswordExpiresIn  int    `json:"password_expires_in"`
	PasswordWarning    string `json:"password_warning"`
}

// userOf says who is signed in: by the address that they signed in with, and
// by the main one of the other channel, where a directory knows it.
func userOf(x otp.Session) user {
	u := user{
		ID:        x.Subject,
		Username:  x.Address.String(),
		Email:     x.Person.Main(otp.Email).String(),
		Phone:     x.Person.Main(otp.SMS).String(),
		Status:    "active",
		CreatedAt: timestamp(x.Since),
	}
	if x.Address.Channel() == otp.SMS {
		u.Phone = x.Address.String()
	} else {
		u.Email = x.Address.String()
	}
	return u
}

// issue signs the access token of a verified session.
func (d *dialect) issue(ctx context.Context, v otp.Verification) (tokens, error) {
	u := userOf(v.Session)
	claims := map[string]any{"sub": u.ID, "user_id": u.ID, "session_id": string(v.Session.ID)}
	if v.Session.Tenant != "" {
		claims["tenant_id"] = v.Session.Tenant
	}
	access, err := d.Issuer.SignAccess(ctx, v.Session, d.AccessLifetime, claims)
	if err != nil {
		return tokens{}, err
	}
	rest := v.Session.Expires.Sub(d.Issuer.Now())
	return tokens{
		AccessToken:  access,
		RefreshToken: token.FormatRefresh(v.Session.ID, v.Refresh),
		TokenType:    "Bearer",
		ExpiresIn:    max(1, int(min(d.AccessLifetime, rest).Round(time.Second)/time.Second)),
		UserID:       u.ID,
		User:         u,
	}, nil
}
