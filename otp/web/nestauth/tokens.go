// SPDX-License-Identifier: Apache-2.0

package nestauth

import (
	"context"
	"net/http"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/otp/token"
	"github.com/caddy-otp/caddy-otp/otp/web/wire"
)

// tokens are what a login or a renewal gives.
type tokens struct {
	access, refresh string
	// accessAge and refreshAge are how long they live from now.
	accessAge, refreshAge time.Duration
}

// issue signs the tokens of a verified session. The refresh token's jti is
// the secret that renews the session once.
func (d *dialect) issue(ctx context.Context, v otp.Verification) (tokens, error) {
	claims := d.claimsOf(v.Session)
	claims["type"] = "access"
	access, err := d.Issuer.SignPending(ctx, v.Session, d.AccessLifetime, claims)
	if err != nil {
		return tokens{}, err
	}
	claims["type"] = "refresh"
	claims["jti"] = v.Refresh
	claims["exp"] = v.Session.Expires.Unix()
	refresh, err := d.Issuer.SignRenewal(claims)
	if err != nil {
		return tokens{}, err
	}
	rest := v.Session.Expires.Sub(d.Issuer.Now())
	return tokens{
		access:     access,
		refresh:    refresh,
		accessAge:  min(d.AccessLifetime, rest),
		refreshAge: rest,
	}, nil
}

// claimsOf are the documented claims. Clients read sub, sessionId, tenantId
// and exp without verifying.
func (d *dialect) claimsOf(x otp.Session) map[string]any {
	p := profileOf(x)
	var tenantID any
	if x.Tenant != "" {
		tenantID = x.Tenant
	}
	return map[string]any{
		"id":              x.Subject,
		"sub":             x.Subject,
		"sessionId":       string(x.ID),
		"email":           p.Email,
		"phone":           p.Phone,
		"emailVerifiedAt": p.EmailVerifiedAt,
		"phoneVerifiedAt": p.PhoneVerifiedAt,
		"roles":           []string{},
		"tenantId":        tenantID,
		"isMfaEnabled":    d.demandsFactor(x),
		"isMfaVerified":   !x.MFA.IsZero(),
	}
}

// renewal is what a refresh token says.
type renewal struct {
	session otp.SessionID
	secret  string
	expires time.Time
}

// parseRenewal reads a refresh token, with the errors of
// [token.Issuer.ParseRenewal].
func (d *dialect) parseRenewal(raw string) (renewal, error) {
	claims, err := d.Issuer.ParseRenewal(raw)
	if err != nil {
		return renewal{}, err
	}
	session, _ := claims["sessionId"].(string)
	secret, _ := claims["jti"].(string)
	expires, _ := claims["exp"].(float64)
	if claims["type"] != "refresh" || session == "" || secret == "" {
		return renewal{}, token.ErrInvalid
	}
	return renewal{otp.SessionID(session), secret, time.Unix(int64(expires), 0)}, nil
}

// loginAnswer is the body of a login and of a renewal. In cookie mode it has
// no tokens.
type loginAnswer struct {
	AccessToken   string `json:"accessToken,omitempty"`
	RefreshToken  string `json:"refreshToken,omitempty"`
	IsRequiresMFA bool   `json:"isRequiresMfa"`
	Message       string `json:"message"`
	// MFAMethods are those that can prove the second factor that is yet to be
	// proved, the best first.
	MFAMethods       []otp.FactorMethod `json:"mfaMethods,omitempty"`
	DefaultMFAMethod otp.FactorMethod   `json:"defaultMfaMethod,omitempty"`
	// TrustToken is by what the device is trusted from now on.
	TrustToken string `json:"trustToken,omitempty"`
}

// deliver answers with tokens, in cookies or in the body.
func (d *dialect) deliver(w http.ResponseWriter, t tokens, cookies, remember bool, answer loginAnswer) {
	if cookies {
		d.setCookies(w.Header(), t, remember)
		if answer.TrustToken != "" {
			d.setTrustCookie(w.Header(), answer.TrustToken)
			answer.TrustToken = ""
		}
	} else {
		answer.AccessToken, answer.RefreshToken = t.access, t.refresh
	}
	wire.WriteJSON(w, http.StatusOK, answer)
}
