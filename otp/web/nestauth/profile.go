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

// account is what every description of a person says. Its blanks are those of
// one without a password and a second factor.
type account struct {
	ID string `json:"id"`
	profile
	IsMFAEnabled       bool        `json:"isMfaEnabled"`
	Metadata           emptyObject `json:"metadata"`
	MustChangePassword bool        `json:"mustChangePassword"`
}

func accountOf(x otp.Session) account { return account{ID: x.Subject, profile: profileOf(x)} }

// describe answers with what of says of the session that a request is made
// in.
func (d *dialect) describe(of func(otp.Session) any) http.HandlerFunc {
	return d.answer(func(w http.ResponseWriter, r *http.Request) error {
		x, err := d.authenticateOwn(r)
		if err != nil {
			return err
		}
		wire.WriteJSON(w, http.StatusOK, of(x))
		return nil
	})
}

// me is the person's profile.
func me(x otp.Session) any {
	return struct {
		account
		Roles       []string `json:"roles"`
		Permissions []string `json:"permissions"`
	}{accountOf(x), []string{}, []string{}}
}

// user is the person's account.
func user(x otp.Session) any {
	return struct {
		account
		IsActive        bool    `json:"isActive"`
		MFARecoveryCode *string `json:"mfaRecoveryCode"`
		CreatedAt       string  `json:"createdAt"`
		UpdatedAt       string  `json:"updatedAt"`
	}{
		account:   accountOf(x),
		IsActive:  true,
		CreatedAt: timestamp(x.Since),
		UpdatedAt: timestamp(x.Since),
	}
}

// verifiedSession says that the session holds, and until when.
func verifiedSession(x otp.Session) any {
	return struct {
		Valid     bool   `json:"valid"`
		UserID    string `json:"userId"`
		ExpiresAt string `json:"expiresAt"`
	}{true, x.Subject, timestamp(x.Expires)}
}
