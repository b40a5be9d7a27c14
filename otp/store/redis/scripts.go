// SPDX-License-Identifier: Apache-2.0

package redis

import (
	_ "embed" // the scripts
	"fmt"
	"strings"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/caddy-otp/caddy-otp/otp"
)

// What the scripts share.
var (
	//go:embed clock.lua
	clockLua string
	//go:embed gcra.lua
	gcraLua string
	//go:embed handle.lua
	handleLua string
	//go:embed session.lua
	sessionLua string
	//go:embed revocation.lua
	revocationLua string
	//go:embed outbox.lua
	outboxLua string
	//go:embed record.lua
	recordLua string
)

// What each does.
var (
	//go:embed start.lua
	startLua string
	//go:embed verify.lua
	verifyLua string
	//go:embed charge.lua
	chargeLua string
	//go:embed refund.lua
	refundLua string
	//go:embed wait.lua
	waitLua string
	//go:embed due.lua
	dueLua string
	//go:embed claim.lua
	claimLua string
	//go:embed unlock.lua
	unlockLua string
	//go:embed settle.lua
	settleLua string
	//go:embed renew.lua
	renewLua string
	//go:embed sessions.lua
	sessionsLua string
	//go:embed revoke.lua
	revokeLua string
	//go:embed revocations.lua
	revocationsLua string
	//go:embed get.lua
	getLua string
	//go:embed swap.lua
	swapLua string
	//go:embed probe.lua
	probeLua string
)

// scripts are the operations, one for each method of [otp.Store], and what
// they need besides on a Cluster.
type scripts struct {
	start, verify, unlock, claim, settle, renew, revoke, sessions, revocations, get, swap *goredis.Script
	charge, refund, wait, due                                                             *goredis.Script
}

// probe is no operation: see health.
var probe = sync.OnceValue(func() *goredis.Script { return goredis.NewScript(probeLua) })

// onlyRead reports whether a script works on a server that takes no writes.
func (s *scripts) onlyRead(script *goredis.Script) bool {
	return script == s.get || script == s.revocations || script == s.sessions
}

// newScripts puts the scripts together. Their clock is the server's, moved
// forward by offset, which only tests do.
func newScripts(offset time.Duration) *scripts {
	begin := constants(offset) + clockLua
	script := func(parts ...string) *goredis.Script {
		return goredis.NewScript(begin + strings.Join(parts, ""))
	}
	return &scripts{
		start:       script(gcraLua, handleLua, outboxLua, startLua),
		verify:      script(gcraLua, handleLua, sessionLua, recordLua, verifyLua),
		unlock:      script(handleLua, unlockLua),
		claim:       script(outboxLua, claimLua),
		settle:      script(outboxLua, settleLua),
		renew:       script(sessionLua, revocationLua, renewLua),
		revoke:      script(revocationLua, revokeLua),
		sessions:    script(sessionLua, sessionsLua),
		revocations: script(revocationsLua),
		get:         script(recordLua, getLua),
		swap:        script(recordLua, swapLua),
		charge:      script(gcraLua, chargeLua),
		refund:      script(gcraLua, refundLua),
		wait:        script(gcraLua, handleLua, waitLua),
		due:         script(dueLua),
	}
}

// The answers of renew.lua.
const (
	renewed   = 1
	noSession = 2
	reused    = 3
)

// constants are what Lua must know of package otp.
func constants(offset time.Duration) string {
	var lua strings.Builder
	for _, constant := range []struct {
		name  string
		value int64
	}{
		{"OFFSET", offset.Microseconds()},
		{"ACCEPTED", int64(otp.Accepted)},
		{"THROTTLED", int64(otp.Throttled)},
		{"COOLING_DOWN", int64(otp.CoolingDown)},
		{"WRONG", int64(otp.Wrong)},
		{"EXPIRED", int64(otp.Expired)},
		{"EXHAUSTED", int64(otp.Exhausted)},
		{"VERIFIED", int64(otp.Verified)},
		{"REPEATED", int64(otp.Repeated)},
		{"CHANGED", int64(otp.Changed)},
		{"RENEWED", renewed},
		{"NO_SESSION", noSession},
		{"REUSED", reused},
		{"SHARDS", otp.Shards},
		{"MAX_CHALLENGES", otp.MaxChallenges},
		{"REMEMBERED", otp.Remembered.Microseconds()},
		{"REPEAT_WINDOW", otp.RepeatWindow.Microseconds()},
		{"OVERDUE", otp.Overdue.Microseconds()},
		{"FAILURES_REMEMBERED", otp.FailuresRemembered.Microseconds()},
		{"DISABLED_FOR", otp.DisabledFor.Microseconds()},
	} {
		fmt.Fprintf(&lua, "local %s = %d\n", constant.name, constant.value)
	}
	lua.WriteString("local function cool_down(failures)\n")
	for failures := otp.DisableFailures; failures >= otp.CoolDownFailures; failures-- {
		wait := otp.CoolDown(failures)
		if wait != otp.CoolDown(failures-1) {
			fmt.Fprintf(&lua, "\tif failures >= %d then return %d end\n", failures, wait.Microseconds())
		}
	}
	lua.WriteString("\treturn 0\nend\n")
	return lua.String()
}
