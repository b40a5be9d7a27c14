// SPDX-License-Identifier: Apache-2.0

package wire

import "strings"

// maxUserAgent is how much of a User-Agent header is looked at, in bytes.
const maxUserAgent = 512

// sign is what gives something away in a User-Agent header, and our word for
// it.
type sign struct{ part, word string }

// browsers are in the order in which they are looked for: most claim to be
// those below too.
var browsers = []sign{
	{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"},
	{"OPR/", "Opera"}, {"OPT/", "Opera"}, {"Opera", "Opera"},
	{"SamsungBrowser/", "Samsung Internet"},
	{"Vivaldi/", "Vivaldi"},
	{"DuckDuckGo/", "DuckDuckGo"}, {"Ddg/", "DuckDuckGo"},
	{"Firefox/", "Firefox"}, {"FxiOS/", "Firefox"},
	{"Chromium/", "Chromium"},
	{"CriOS/", "Chrome"}, {"Chrome/", "Chrome"},
	{"Version/", "Safari"}, // which says Safari/ last, as others do
}

// systems likewise: Android is a Linux, an iPad says that it is like a Mac.
var systems = []sign{
	{"iPhone", "iPhone"}, {"iPad", "iPad"}, {"iPod", "iPod"}, {"Android", "Android"}, {"Windows", "Windows"}, {"CrOS", "ChromeOS"},
	{"Macintosh", "Mac"}, {"Linux", "Linux"}, {"X11", "Linux"},
}

// programs are known by what their header begins with.
var programs = []sign{
	{"curl/", "curl"}, {"Wget/", "Wget"}, {"HTTPie/", "HTTPie"}, {"PostmanRuntime/", "Postman"}, {"insomnia/", "Insomnia"},
	{"Go-http-client/", "Go program"},
	{"python", "Python program"}, {"Python", "Python program"}, {"aiohttp/", "Python program"},
	{"node", "Node.js program"}, {"undici", "Node.js program"}, {"axios/", "Node.js program"}, {"got ", "Node.js program"}, {"Deno/", "Deno program"}, {"Bun/", "Bun program"},
	{"Java", "Java program"}, {"okhttp/", "Java program"}, {"Apache-HttpClient/", "Java program"},
	{"Dart/", "Dart program"}, {"GuzzleHttp/", "PHP program"}, {"PHP", "PHP program"}, {"Ruby", "Ruby program"}, {"Faraday ", "Ruby program"},
	{"libwww-perl/", "Perl program"}, {"PowerShell/", "PowerShell"}, {"reqwest/", "Rust program"},
}

// Device returns a short label of the program that sends a User-Agent header:
// "Firefox on Windows", "Safari on iPhone", "curl", or "" for what it doesn't
// know. The label is made of our own words alone, never of the header's, so
// that it can be shown to people and written to them.
func Device(userAgent string) string {
	userAgent = userAgent[:min(len(userAgent), maxUserAgent)]
	if !strings.HasPrefix(userAgent, "Mozilla/") && !strings.HasPrefix(userAgent, "Opera/") {
		for _, program := range programs {
			if strings.HasPrefix(userAgent, program.part) {
				return program.word
			}
		}
		return ""
	}
	browser, system := wordOf(userAgent, browsers), wordOf(userAgent, systems)
	switch {
	case system == "":
		return browser
	case browser == "":
		return "Browser on " + system
	}
	return browser + " on " + system
}

// wordOf returns the word of the first sign that a header gives.
func wordOf(userAgent string, signs []sign) string {
	for _, sign := range signs {
		if strings.Contains(userAgent, sign.part) {
			return sign.word
		}
	}
	return ""
}
