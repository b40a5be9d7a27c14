// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"context"
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
// one without a password.
type account struct {
	ID string `json:"id"`
	profile
	IsMFAEnabled       bool        `json:"isMfaEnabled"`
	Metadata           emptyObject `json:"metadata"`
	MustChangePassword bool        `json:"mustChangePassword"`
}

// accountOf returns what is known of the person of a session now.
func (d *dialect) accountOf(ctx context.Context, x otp.Session) (account, error) {
	a := account{ID: x.Subject, profile: profileOf(x), IsMFAEnabled: d.demandsFactor(x)}
	if !a.IsMFAEnabled && d.Service.MFA().UserToggle {
		e, err := d.Service.Enrolment(ctx, x) // the session may be older than their choice
		if err != nil {
			return account{}, err
		}
		a.IsMFAEnabled = e.Enabled
	}
	return a, nil
}

// demandsFactor reports whether a second factor is demanded of a session.
func (d *dialect) demandsFactor(x otp.Session) bool {
	return x.Person.MFA || d.Service.DemandsFactor(x)
}

// authentication tells which session a request is made in.
type authentication func(*http.Request) (otp.Session, error)

// describe answers with what of says of the session that a request is made
// in.
func (d *dialect) describe(authenticate authentication, of func(context.Context, otp.Session) (any, error)) http.HandlerFunc {
	return d.answer(func(w http.ResponseWriter, r *http.Request) error {
		x, err := authenticate(r)
		if err != nil {
			return err
		}
		body, err := of(r.Context(), x)
		if err != nil {
			return err
		}
		wire.WriteJSON(w, http.StatusOK, body)
		return nil
	})
}

// me is the person's profile.
func (d *dialect) me(ctx context.Context, x otp.Session) (any, error) {
	a, err := d.accountOf(ctx, x)
	return struct {
		account
		Roles       []string `json:"roles"`
		Permissions []string `json:"permissions"`
	}{a, []string{}, []string{}}, err
}

// user is the person's account.
func (d *dialect) user(ctx context.Context, x otp.Session) (any, error) {
	a, err := d.accountOf(ctx, x)
	return struct {
		account
		IsActive        bool    `json:"isActive"`
		MFARecoveryCode *string `json:"mfaRecoveryCode"`
		CreatedAt       string  `json:"createdAt"`
		UpdatedAt       string  `json:"updatedAt"`
	}{
		account:   a,
		IsActive:  true,
		CreatedAt: timestamp(x.Since),
		UpdatedAt: timestamp(x.Since),
	}, err
}

// verifiedSession says that the session holds, and until when.
func verifiedSession(_ context.Context, x otp.Session) (any, error) {
	return struct {
		Valid     bool   `json:"valid"`
		UserID    string `json:"userId"`
		ExpiresAt string `json:"expiresAt"`
	}{true, x.Subject, timestamp(x.Expires)}, nil
}
