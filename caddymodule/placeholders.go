// SPDX-License-Identifier: Apache-2.0

package caddymodule

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// atRunTime are the beginnings of the placeholders that Caddy fills when it
// runs a configuration.
var atRunTime = []string{"{env.", "{file.", "{system.", "{time."}

// isKnown reports whether a text that may have other braces, such as JSON's,
// has no placeholder of Caddy's.
func isKnown(text string) bool {
	return !slices.ContainsFunc(atRunTime, func(begin string) bool { return strings.Contains(text, begin) })
}

const (
	envPrefix     = "env."
	filePrefix    = "file."
	messagePrefix = "otp."
)

// isPlaceholder reports whether a text is known only at run time.
func isPlaceholder(text string) bool { return strings.Contains(text, "{") }

// replaced returns a configured text with its placeholders' values. A
// placeholder without a value is an error that names the option, and never
// holds more of the text than the placeholder of a variable or file.
func replaced(repl *caddy.Replacer, option, text string) (string, error) {
	value, err := repl.ReplaceFunc(text, func(key string, value any) (any, error) {
		if text := caddy.ToString(value); text != "" {
			return text, nil
		}
		return nil, noValue(key, value)
	})
	if err != nil {
		return "", fmt.Errorf("%s: %w", option, err)
	}
	return value, nil
}

// noValue says what to do about a placeholder whose value is blank or nil.
func noValue(key string, value any) error {
	if name, ok := strings.CutPrefix(key, envPrefix); ok {
		return fmt.Errorf("{%s} is empty; set the variable %s in Caddy's environment", key, name)
	}
	if name, ok := strings.CutPrefix(key, filePrefix); ok && value == nil {
		return fmt.Errorf("{%s} can't be read%s; put the value into %s, where Caddy may read it", key, readFailure(name), name)
	} else if ok {
		return fmt.Errorf("{%s} is empty; put the value into %s, where Caddy may read it", key, name)
	}
	return errors.New(`the placeholder in it is unknown; there are {env.NAME} and {file./path}, and a brace that is meant as such is written \{`)
}

// readFailure says why a file can't be read, which Caddy only logs.
func readFailure(name string) string {
	_, err := os.ReadFile(name)
	if failed, ok := errors.AsType[*fs.PathError](err); ok {
		return ": " + failed.Err.Error()
	}
	return ""
}

// replacedAmid replaces the placeholders of variables, files and Caddy in a
// text that has braces of its own, such as JSON's, which stay.
func replacedAmid(repl *caddy.Replacer, option, text string) (string, error) {
	var missing error
	amid := caddy.NewEmptyReplacer()
	amid.Map(func(key string) (any, bool) {
		value, known := repl.Get(key)
		if known && caddy.ToString(value) == "" && missing == nil {
			missing = noValue(key, value)
		}
		return value, known
	})
	value := amid.ReplaceKnown(text, "")
	if missing != nil {
		return "", fmt.Errorf("%s: %w", option, missing)
	}
	return value, nil
}

// replaceAll replaces each of the texts, which are named by their options, in
// place.
func replaceAll(repl *caddy.Replacer, texts map[string]*string) error {
	for _, option := range slices.Sorted(maps.Keys(texts)) {
		value, err := replaced(repl, option, *texts[option])
		if err != nil {
			return err
		}
		*texts[option] = value
	}
	return nil
}

// replaceList replaces placeholders in a copy of a list that other sites may
// share. A placeholder's value may hold several words, but not none: a list
// that is empty by accident would admit everybody.
func replaceList(repl *caddy.Replacer, option string, list *[]string) error {
	var values []string
	for _, text := range *list {
		value, err := replaced(repl, option, text)
		if err != nil {
			return err
		}
		words := []string{value}
		if isPlaceholder(text) {
			words = strings.Fields(value)
		}
		if len(words) == 0 || words[0] == "" {
			return fmt.Errorf("%s has a blank value; write one, or remove it", option)
		}
		values = append(values, words...)
	}
	*list = values
	return nil
}

// keepMessagePlaceholders leaves {otp.…} for each message to fill.
func keepMessagePlaceholders(key string) (any, bool) {
	if strings.HasPrefix(key, messagePrefix) {
		return "{" + key + "}", true
	}
	return nil, false
}
