// SPDX-License-Identifier: Apache-2.0

package faults

import (
	"bytes"
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/otp"
	"github.com/caddy-otp/caddy-otp/test/redisserver"
	"github.com/caddy-otp/caddy-otp/test/site"
)

// TestDump gives a thief everything that Redis holds, on disk too, and the
// source of this module, but not the secret: they find no address, and no code
// by trying all of them with every key that the dump holds.
func TestDump(t *testing.T) {
	site.SkipShort(t)
	server := redisserver.Start(t, "--appendonly", "yes", "--rdbcompression", "no", "--aof-use-rdb-preamble", "no")
	operator := admin(t, server.Addr)
	messages := make(box, 3)
	h := newHouse(t, server.URL(), messages)
	typed := []string{"Jane.Doe+news@gmail.com", "victim@corp.example.com", "+4915123456789"}
	addresses := []otp.Address{email(t, typed[0]), email(t, typed[1])}
	phone, err := otp.ParsePhone(typed[2], "DE")
	if err != nil {
		t.Fatal(err)
	}
	addresses = append(addresses, phone)
	codes := make([]string, len(addresses))
	for i, address := range addresses {
		h.ask(t, address, netip.MustParseAddr("203.0.113.77"))
		codes[i] = (<-messages).Code
	}
	victim := h.store.challenge // the phone's: a code and a link
	h.signIn(t, addresses[1], codes[1])

	dump := new(bytes.Buffer)
	order(t, operator, "SAVE")
	settings, err := operator.ConfigGet(t.Context(), "dir").Result()
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(settings["dir"], func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		dump.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(dump.Bytes(), []byte(victim.Code)) {
		t.Fatal("the dump doesn't hold the tag, so nothing is shown")
	}

	// Words that a digest doesn't hold by chance.
	lower := bytes.ToLower(dump.Bytes())
	for _, word := range []string{
		"jane.doe", "janedoe", "+news", "gmail.com", "victim@", "corp.example", "15123456789", "203.0.113", "/deep/page", secret,
	} {
		if bytes.Contains(lower, []byte(word)) {
			t.Errorf("the dump shows %q", word)
		}
	}

	// The short form tries those near the right one.
	right, err := strconv.Atoi(codes[2])
	if err != nil {
		t.Fatal(err)
	}
	first, last := either(max(0, right-1000), 0), either(min(999_999, right+1000), 999_999)
	candidates := keysIn(dump.Bytes())
	if tried := trial(first, last, candidates, victim, phone); tried != "" {
		t.Errorf("the key %q opens a code", tried)
	}
	// Whoever has the secret finds the code: so the search would have.
	if trial(first, last, [][]byte{[]byte(secret)}, victim, phone) == "" {
		t.Error("the secret itself doesn't find the code, so the search shows nothing")
	}
	row(t, "a dump of %d bytes with the secret withheld: no address; %d codes with each of %d keys that it holds, as tag key and as secret: no tag found",
		dump.Len(), last-first+1, len(candidates))
}

// box is a sender whose messages are read from it.
type box chan otp.Message

func (b box) Send(_ context.Context, m otp.Message) error {
	b <- m
	return nil
}

// signIn opens a session for an address.
func (h *house) signIn(t *testing.T, address otp.Address, code string) {
	t.Helper()
	_, err := h.Verify(t.Context(), otp.VerifyRequest{
		Presented: otp.Presented{ClientIP: netip.MustParseAddr("203.0.113.77"), Lifetime: time.Hour, Renewable: true},
		Dialect:   "portal", Address: address, Purpose: otp.Login, Code: code,
	})
	if err != nil {
		t.Fatal(err)
	}
}

// printable is what looks like the name or the digest of something.
var printable = regexp.MustCompile(`[A-Za-z0-9_+/=-]{8,}`)

// keysIn returns all that a thief may take for a key: every printable word of
// the dump, as it is, without a shard in front, and decoded, and every sealed
// value's bytes at their beginnings.
func keysIn(dump []byte) [][]byte {
	seen := make(map[string]bool)
	var all [][]byte
	add := func(key []byte) {
		if len(key) >= 8 && !seen[string(key)] {
			seen[string(key)] = true
			all = append(all, slices.Clone(key))
		}
	}
	for _, word := range printable.FindAll(dump, -1) {
		add(word)
		if len(word) > 2 {
			add(word[2:]) // behind a shard's digits
		}
		for _, text := range [][]byte{word, word[2:]} {
			if len(text) >= 22 {
				decoded, _ := base64.RawURLEncoding.DecodeString(string(text[:22]))
				add(decoded)
			}
		}
	}
	return all
}

// trial tries the codes from first to last with keys and returns one that finds the tag of a
// challenge, or "". The thief knows all but the key: the address, and how tags
// are made.
func trial(first, last int, keys [][]byte, victim otp.Challenge, address otp.Address) (found string) {
	var next atomic.Int64
	var mu sync.Mutex
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(keys); i = int(next.Add(1)) - 1 {
				derived, err := hkdf.Key(sha256.New, keys[i], nil, "caddy-otp tag", sha256.Size)
				if err != nil {
					return
				}
				for _, key := range [][]byte{keys[i], derived} {
					if opens(first, last, key, victim, address) {
						mu.Lock()
						found = string(keys[i])
						mu.Unlock()
					}
				}
			}
		})
	}
	workers.Wait()
	return found
}

// opens reports whether a key makes the challenge's tag of one of the codes.
func opens(first, last int, key []byte, victim otp.Challenge, address otp.Address) bool {
	want, err := base64.RawURLEncoding.DecodeString(string(victim.Code))
	if err != nil {
		return false
	}
	var message []byte
	for _, part := range []string{"code", realm, "portal", "", string(address.Channel()), address.String(), string(otp.Login), "000000"} {
		message = binary.BigEndian.AppendUint32(message, uint32(len(part)))
		message = append(message, part...)
	}
	mac := hmac.New(sha256.New, key)
	digits, sum := message[len(message)-6:], []byte(nil)
	for code := first; code <= last; code++ {
		for i, rest := len(digits)-1, code; i >= 0; i, rest = i-1, rest/10 {
			digits[i] = '0' + byte(rest%10)
		}
		mac.Reset()
		mac.Write(message)
		if sum = mac.Sum(sum[:0]); bytes.Equal(sum[:len(want)], want) {
			return true
		}
	}
	return false
}
