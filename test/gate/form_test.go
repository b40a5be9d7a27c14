// SPDX-License-Identifier: Apache-2.0

package gate

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddy-otp/caddy-otp/test/site"
)

// upload is a form with a file of a size, as a browser sends it.
func upload(t *testing.T, size int) (contentType, body string) {
	t.Helper()
	content := make([]byte, size)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(content)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile("file", "photo.jpg")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := part.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), form.String()
}

// sum tells bodies apart.
func sum(body string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(body))) }

// appBody is what the app got of a body, of an answer in which it repeats the
// request's bytes.
func appBody(a site.Answer) string {
	_, body, _ := strings.Cut(a.Body, "\r\n\r\n")
	return body
}

var confirmation = regexp.MustCompile(`name="otp_form" value="([A-Z2-7]{26})"`)

// TestFormOverALogin posts 1 MiB with a session that has rested too long.
func TestFormOverALogin(t *testing.T) {
	site.OnEachStore(t, func(t *testing.T, store string) {
		r := site.New(t, store, site.Roomy+"\n\t\tprotect\n\t\tsession {\n\t\t\tidle 4s\n\t\t}\n\t\tthrottle address 100 1m")
		contentType, body := upload(t, 1<<20)
		post := func(client *http.Client, path, contentType, body string, headers ...string) site.Answer {
			headers = append([]string{
				"Content-Type", contentType, "Origin", r.URL, "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate",
				"Referer", r.URL + "/album", "Accept", "text/html",
			}, headers...)
			return site.Do(t, client, http.MethodPost, r.URL+path, body, headers...)
		}

		v := signInByPage(r, "jane@example.com")
		if a := post(v.Client, "/upload?album=7", contentType, body); a.Status != http.StatusOK || sum(appBody(a)) != sum(body) {
			t.Fatalf("while the session holds: %d", a.Status)
		}
		time.Sleep(4100 * time.Millisecond) // the session rests

		// From a foreign page nothing is kept, also nothing small: the server
		// doesn't hear a large one out, and closes the connection.
		smallType, small := upload(t, 1<<10)
		for name, headers := range map[string][]string{
			"another site": {"Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"},
			"a sister":     {"Origin", "http://evil.localhost", "Sec-Fetch-Site", "same-site"},
		} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.URL+"/upload?album=7", strings.NewReader(small))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", smallType)
			request.Header.Set("Sec-Fetch-Mode", "navigate")
			for i := 0; i < len(headers); i += 2 {
				request.Header.Set(headers[i], headers[i+1])
			}
			response, err := v.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			for _, cookie := range response.Cookies() {
				t.Errorf("%s: cookie %s", name, cookie.Name)
			}
			if location := response.Header.Get("Location"); response.StatusCode != http.StatusSeeOther || strings.Contains(location, "form=") {
				t.Errorf("%s: %d to %s", name, response.StatusCode, location)
			}
		}

		a := post(v.Client, "/upload?album=7", contentType, body)
		login, err := url.Parse(a.Header.Get("Location"))
		if err != nil || a.Status != http.StatusSeeOther || login.Query().Get("form") != "kept" {
			t.Fatalf("%d to %s", a.Status, a.Header.Get("Location"))
		}
		asks := login.Query().Get("return_to")
		site.ExpectRedirect(t, site.Form(r, v.Client, "/.otp/login", url.Values{"address": {"jane@example.com"}, "return_to": {asks}}), "/.otp/verify")
		site.ExpectRedirect(t, site.Form(r, v.Client, "/.otp/verify", url.Values{"code": {r.Message("jane@example.com", 2).Code}, "device": {"1"}}), asks)
		page := site.Do(t, v.Client, http.MethodGet, r.URL+asks, "")
		found := confirmation.FindStringSubmatch(page.Body)
		if found == nil || !strings.Contains(page.Body, `action="/upload?album=7"`) {
			t.Fatalf("the page that asks: %d %s", page.Status, page.Body)
		}
		const urlencoded = "application/x-www-form-urlencoded"
		confirm := "otp_form=" + found[1]

		// Nobody else can send it, nor another page.
		stranger := signInByPage(r, "joe@example.com")
		if a := post(stranger.Client, "/upload?album=7", urlencoded, confirm); a.Status == http.StatusOK && appBody(a) != confirm {
			t.Errorf("another browser sends it: %d", a.Status)
		}
		if a := site.Do(t, v.Client, http.MethodPost, r.URL+"/upload?album=7", confirm, "Content-Type", urlencoded, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); strings.Contains(a.Body, "photo.jpg") {
			t.Errorf("another page sends it: %d", a.Status)
		}
		if a := post(v.Client, "/other", urlencoded, confirm); a.Status == http.StatusOK {
			t.Errorf("it is sent elsewhere: %d", a.Status)
		}

		a = post(v.Client, "/upload?album=7", urlencoded, confirm)
		if a.Status != http.StatusOK || !strings.HasPrefix(a.Body, "POST /upload?album=7 HTTP/1.1\r\n") || !strings.Contains(a.Body, "Content-Type: "+contentType+"\r\n") {
			t.Fatalf("the app got %d %.300s", a.Status, a.Body)
		}
		if got, want := sum(appBody(a)), sum(body); got != want {
			t.Errorf("the app got another body: SHA-256 %s, want %s", got, want)
		} else {
			t.Logf("%d bytes arrived, SHA-256 %s", len(appBody(a)), got)
		}
		if a := post(v.Client, "/upload?album=7", urlencoded, confirm); a.Status != http.StatusConflict {
			t.Errorf("sent again: %d %.200s", a.Status, a.Body)
		}
	})
}
