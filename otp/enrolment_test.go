// SPDX-License-Identifier: Apache-2.0

package otp

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// secretsOf are keys of some secrets.
func secretsOf(t testing.TB, names ...string) *Keys {
	t.Helper()
	var secrets [][]byte
	for _, name := range names {
		secrets = append(secrets, []byte(name+strings.Repeat("-", MinSecretLength)))
	}
	keys, err := NewKeys(secrets...)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// enrolledHouse is a house whose people may turn second factors on, and a
// session of one who has.
func enrolledHouse(t testing.TB, store *fakeStore, names ...string) (*house, Session) {
	t.Helper()
	h := newHouse(t, func(c *Config) {
		c.Keys = secretsOf(t, names...)
		c.MFA = MFAPolicy{UserToggle: true}
		if store != nil {
			c.Store = store
		}
	})
	x := h.signedIn(t, "jane@example.com")
	return h, x
}

// TestEnrolmentIsSealed: a store sees nothing of a record, not even whose it
// is.
func TestEnrolmentIsSealed(t *testing.T) {
	h, x := enrolledHouse(t, nil, "first")
	if err := h.SetMFA(t.Context(), x, true); err != nil {
		t.Fatal(err)
	}
	codes, err := h.NewRecoveryCodes(t.Context(), withProof(x))
	if err != nil {
		t.Fatal(err)
	}
	if len(h.store.records) != 1 {
		t.Fatalf("%d records", len(h.store.records))
	}
	for key, value := range h.store.records {
		for _, plain := range []string{codes[0], x.Owner, x.Subject, "jane", `"on"`} {
			if strings.Contains(key, plain) || bytes.Contains(value, []byte(plain)) {
				t.Errorf("%q is readable", plain)
			}
		}
	}
}

// TestEnrolmentAndRotation: a record goes over to new secrets; one that none of
// them opens leaves second factors turned on.
func TestEnrolmentAndRotation(t *testing.T) {
	store := newFakeStore()
	old, x := enrolledHouse(t, store, "first")
	if err := old.SetMFA(t.Context(), x, true); err != nil {
		t.Fatal(err)
	}
	both, _ := enrolledHouse(t, store, "second", "first")
	e, err := both.Enrolment(t.Context(), x)
	if err != nil || !e.Enabled {
		t.Fatalf("%+v, %v", e, err)
	}
	if _, err := both.NewRecoveryCodes(t.Context(), withProof(x)); err != nil { // sealed anew
		t.Fatal(err)
	}
	back, _ := enrolledHouse(t, store, "first")
	if e, err := back.Enrolment(t.Context(), x); err != nil || !e.HasRecovery {
		t.Errorf("under the old secret: %+v, %v", e, err)
	}
	for key := range store.records {
		store.records[key] = []byte("sealed by a secret that is gone")
	}
	if e, err := both.Enrolment(t.Context(), x); err != nil || !e.Enabled || e.HasRecovery {
		t.Errorf("of a record that nothing opens: %+v, %v", e, err)
	}
}

// TestWhatIsAddedInASession proves no factor for sessions that began before,
// unless it was added in one with a second factor.
func TestWhatIsAddedInASession(t *testing.T) {
	for _, tc := range []struct {
		name    string
		factor  bool
		created time.Duration // of the other session, from the adding
		want    bool
	}{
		{"before", false, -time.Hour, false},
		{"at the same moment", false, 0, false},
		{"afterwards", false, time.Second, true},
		{"before one that was proved", true, -time.Hour, true},
	} {
		now := time.Now().Truncate(time.Millisecond)
		h := newHouse(t, func(c *Config) { c.Now = func() time.Time { return now } })
		x := h.signedIn(t, "jane@example.com")
		if tc.factor {
			x.MFA, x.MFAMethod = now, "email"
		}
		setup, err := h.StartTOTP(t.Context(), x, "", "")
		if err != nil {
			t.Fatal(err)
		}
		code, err := TOTPCode(setup.Secret, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := h.ConfirmTOTP(t.Context(), x, setup.Secret, code); err != nil {
			t.Fatal(err)
		}
		codes, err := h.NewRecoveryCodes(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		other := x
		other.Created, other.MFA, other.MFAMethod = now.Add(tc.created), time.Time{}, ""
		factors, err := h.Factors(t.Context(), other)
		if err != nil || factors.TOTP != tc.want || len(factors.Addresses) > 0 { // a session from before goes by no less than later ones
			t.Errorf("%s: %+v, %v", tc.name, factors, err)
		}
		e, err := h.enrolment(t.Context(), x.Owner)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.takeRecovery(&e, other, codes[0]); got != tc.want {
			t.Errorf("%s: a recovery code is taken: %v", tc.name, got)
		}
		later, err := TOTPCode(setup.Secret, now.Add(totpStep))
		if err != nil {
			t.Fatal(err)
		}
		if got := h.redeemTOTP(other, later)(&e, now); got != tc.want {
			t.Errorf("%s: an app's code is taken: %v", tc.name, got)
		}
		if h.redeemTOTP(other, later)(&e, now) {
			t.Errorf("%s: an app's code is taken twice", tc.name)
		}
	}
}

// TestSetUpIsOurs: no secret is taken that wasn't given out, to this person,
// lately; and each once.
func TestSetUpIsOurs(t *testing.T) {
	h := newHouse(t, nil)
	x, bob := h.signedIn(t, "jane@example.com"), h.signedIn(t, "bob@example.com")
	setup, err := h.StartTOTP(t.Context(), x, "", "")
	if err != nil {
		t.Fatal(err)
	}
	own := totpEncoding.EncodeToString([]byte("12345678901234567890"))
	for name, tc := range map[string]struct {
		x      Session
		secret string
		want   error
	}{
		"the client's own": {x, own, ErrWrong},
		"no secret":        {x, "AAAA", ErrWrong},
		"somebody else's":  {bob, setup.Secret, ErrWrong},
	} {
		code, _ := TOTPCode(tc.secret, time.Now())
		if err := h.ConfirmTOTP(t.Context(), tc.x, tc.secret, code); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := h.ConfirmTOTP(t.Context(), x, setup.Secret, "000000000"); !errors.Is(err, ErrWrong) {
		t.Errorf("a wrong code: %v", err)
	}
	code, _ := TOTPCode(setup.Secret, time.Now())
	if err := h.ConfirmTOTP(t.Context(), x, setup.Secret, code); err != nil {
		t.Errorf("after a wrong code: %v", err)
	}
	for range maxTOTPDevices - 1 {
		setup, err := h.StartTOTP(t.Context(), x, "", "")
		if err != nil {
			t.Fatal(err)
		}
		code, _ := TOTPCode(setup.Secret, time.Now())
		if err := h.ConfirmTOTP(t.Context(), x, setup.Secret, code); err != nil {
			t.Fatal(err)
		}
	}
	setup, err = h.StartTOTP(t.Context(), x, "", "")
	if err != nil {
		t.Fatal(err)
	}
	code, _ = TOTPCode(setup.Secret, time.Now())
	if err := h.ConfirmTOTP(t.Context(), x, setup.Secret, code); !errors.Is(err, ErrFull) {
		t.Errorf("one too many: %v", err)
	}
}

// TestRecordGuessIsCounted: whatever was typed, the store judges a guess of it,
// under a handle of the person's own.
func TestRecordGuessIsCounted(t *testing.T) {
	h := newHouse(t, nil)
	x := h.signedIn(t, "jane@example.com")
	codes, err := h.NewRecoveryCodes(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	x.Created = time.Now().Add(time.Hour) // a session from afterwards
	h.store.verify = func(g Guess, r SessionRecord) (Outcome, error) {
		if len(g.Tags) == 0 {
			return Outcome{Result: Wrong, Now: time.Now()}, nil
		}
		r.Created, r.Since = time.Now(), time.Now()
		return Outcome{Result: Verified, Now: time.Now(), Session: r}, nil
	}
	for _, typed := range []string{"", "000000", "garbage", codes[1][:26], codes[0] + "A"} {
		if _, err := h.ElevateRecovery(t.Context(), x, ElevateRequest{Code: typed}); !errors.Is(err, ErrWrong) {
			t.Errorf("%q: %v", typed, err)
		}
		if _, err := h.ElevateTOTP(t.Context(), x, ElevateRequest{Code: typed}); !errors.Is(err, ErrWrong) {
			t.Errorf("%q: %v", typed, err)
		}
	}
	if len(h.store.starts) != 10 || len(h.store.verifies) != 10 {
		t.Fatalf("%d starts, %d guesses", len(h.store.starts), len(h.store.verifies))
	}
	handle := h.store.starts[0].challenge.Handle
	for i, call := range h.store.verifies {
		if call.guess.Handle != handle || handle == h.handle(x.Address) || call.session.ID.Shard() != handle.Shard() || call.guess.Account[:2] != handle.Shard() ||
			h.store.starts[i].message != nil || len(call.guess.Tags) != 0 {
			t.Errorf("guess %d: %+v", i, call.guess)
		}
	}
	v, err := h.ElevateRecovery(t.Context(), x, ElevateRequest{Code: codes[0]})
	if err != nil || v.Session.MFAMethod != string(RecoveryFactor) || v.Session.Pending {
		t.Errorf("%+v, %v", v, err)
	}
	last := len(h.store.verifies) - 1
	if tags := h.store.verifies[last].guess.Tags; len(tags) != 1 || !slices.Contains(tags, h.store.starts[last].challenge.Code) {
		t.Errorf("the guess presents %v", tags)
	}
	// In a cool-down nothing is looked at, and nothing used up.
	h.store.result = CoolingDown
	if _, err := h.ElevateRecovery(t.Context(), x, ElevateRequest{Code: codes[1]}); !errors.Is(err, ErrCoolDown) && !errors.Is(err, ErrNoSession) {
		t.Errorf("%v", err)
	}
}

// TestTrustedDevices: the oldest of too many go, and a token's form tells
// whether it is ours.
func TestTrustedDevices(t *testing.T) {
	now := time.Now()
	h := newHouse(t, func(c *Config) { c.Now = func() time.Time { return now } })
	x := withProof(h.signedIn(t, "jane@example.com"))
	var e enrolment
	var tokens []string
	for range maxTrustedDevices + 1 {
		tokens = append(tokens, h.trust(&e, x))
	}
	trusted := func(token string) bool {
		tags, plausible := h.trustTags(x.Owner, token)
		_, ok := e.trusted(tags, now)
		return plausible && ok
	}
	if trusted(tokens[0]) || !trusted(tokens[1]) || !trusted(tokens[maxTrustedDevices]) {
		t.Error("the oldest must go, and it alone")
	}
	now = now.Add(DefaultTrustedDevice)
	if trusted(tokens[1]) {
		t.Error("trust has no end")
	}
	h.trust(&e, x)
	if len(e.Devices) != 1 {
		t.Errorf("%d are kept", len(e.Devices))
	}
	for _, token := range []string{"", tokens[1][1:], tokens[1] + "A", strings.Repeat("A", len(tokens[1])), fmt.Sprint(tokens[1][:len(tokens[1])-1], "!")} {
		if h.IsTrust(token) {
			t.Errorf("%q is taken for one of ours", token)
		}
	}
}

func withProof(x Session) Session {
	x.MFA, x.MFAMethod = time.Now(), string(EmailFactor)
	return x
}
