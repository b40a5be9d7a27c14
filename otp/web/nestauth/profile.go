// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// profile is what is known of a person: the address that they signed in with,
// and since when it is verified. The other channel's fields are null.
type profile struct {
	Email           *string `json:"email"`
	Phone           *string `json:"phone"`
	EmailVerifiedAt *string `json:"emailVerifiedAt"`
	PhoneVerifiedAt *string `json:"phoneVerifiedAt"`
}

func profileOf(x otp.Session) profile {
	address, since := x.Address.String(), timestamp(x.Since)
	if x.Address.Channel() == otp.SMS {
		return profile{Phone: &address, PhoneVerifiedAt: &since}
	}
	return profile{Email: &address, EmailVerifiedAt: &since}
}

// timestamp formats a time as JavaScript's Date does.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// emptyObject is {} in JSON.
type emptyObject struct{}

// me answers with the person's profile.
func (d *dialect) me(w http.ResponseWriter, r *http.Request) error {
	x, err := d.authenticateOwn(r)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, struct {
		ID string `json:"id"`
		profile
		IsMFAEnabled       bool        `json:"isMfaEnabled"`
		Metadata           emptyObject `json:"metadata"`
		MustChangePassword bool        `json:"mustChangePassword"`
		Roles              []string    `json:"roles"`
		Permissions        []string    `json:"permissions"`
	}{
		ID:          x.Subject,
		profile:     profileOf(x),
		Roles:       []string{},
		Permissions: []string{},
	})
	return nil
}

// user answers with the person's account.
func (d *dialect) user(w http.ResponseWriter, r *http.Request) error {
	x, err := d.authenticateOwn(r)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, struct {
		ID string `json:"id"`
		profile
		IsActive           bool        `json:"isActive"`
		MustChangePassword bool        `json:"mustChangePassword"`
		Metadata           emptyObject `json:"metadata"`
		IsMFAEnabled       bool        `json:"isMfaEnabled"`
		MFARecoveryCode    *string     `json:"mfaRecoveryCode"`
		CreatedAt          string      `json:"createdAt"`
		UpdatedAt          string      `json:"updatedAt"`
	}{
		ID:        x.Subject,
		profile:   profileOf(x),
		IsActive:  true,
		CreatedAt: timestamp(x.Since),
		UpdatedAt: timestamp(x.Since),
	})
	return nil
}

// verifySession answers whether the session holds, and until when.
func (d *dialect) verifySession(w http.ResponseWriter, r *http.Request) error {
	x, err := d.authenticateOwn(r)
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusOK, struct {
		Valid     bool   `json:"valid"`
		UserID    string `json:"userId"`
		ExpiresAt string `json:"expiresAt"`
	}{true, x.Subject, timestamp(x.Expires)})
	return nil
}
