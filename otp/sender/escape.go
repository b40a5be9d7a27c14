// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"mime"
	"net/url"
	"strings"
)

// escapeFor returns how a value is escaped inside a body of a content type.
// Types in which a value can't be kept apart from the text around it are
// refused.
func escapeFor(contentType string) (escape func(string) string, isJSON bool, err error) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, false, fmt.Errorf("header Content-Type %q is no media type; write one like application/json", contentType)
	}
	switch {
	case mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"):
		return escapeJSON, true, nil
	case mediaType == "application/x-www-form-urlencoded":
		return url.QueryEscape, false, nil
	case mediaType == "application/xml" || mediaType == "text/xml" || strings.HasSuffix(mediaType, "+xml"):
		return escapeXML, false, nil
	case mediaType == "text/plain":
		return verbatim, false, nil
	}
	return nil, false, fmt.Errorf("a body of type %s can't be written; use application/json, application/x-www-form-urlencoded, application/xml or text/plain", mediaType)
}

// escapeJSON escapes s for the inside of a JSON string.
func escapeJSON(s string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s); err != nil {
		panic(err) // a string can always be encoded
	}
	return string(b.Bytes()[1 : b.Len()-len("\"\n")])
}

func escapeXML(s string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(s)); err != nil {
		panic(err) // a Builder takes everything
	}
	return b.String()
}

func verbatim(s string) string { return s }
