package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

func (c *checker) add(severity Severity, code Code, key, value, format string, args ...any) {
	c.issues = append(c.issues, Issue{
		Severity: severity, Code: code, EntryID: c.entry, Key: key, Value: clip(value), Message: fmt.Sprintf(format, args...),
	})
}

func (c *checker) fail(key, value, format string, args ...any) {
	c.add(SeverityError, CodeInvalid, key, value, format, args...)
}

func (c *checker) warn(code Code, key, value, format string, args ...any) {
	c.add(SeverityWarning, code, key, value, format, args...)
}

// clipBytes is how much of a value a message shows.
const clipBytes = 120

// clip keeps messages short: the value of an issue is for reading.
func clip(value string) string {
	if len(value) <= clipBytes {
		return value
	}
	cut := clipBytes
	for cut > 0 && !utf8.RuneStart(value[cut]) {
		cut--
	}
	return value[:cut] + "…"
}

// word checks a value of a fixed vocabulary.
func word[T ~string](c *checker, key string, value T, words []T, required bool) {
	if value == "" {
		if required {
			c.fail(key, "", "is missing: use one of %s", list(words))
		}
		return
	}
	if !slices.Contains(words, value) {
		c.fail(key, string(value), "is none of %s", list(words))
	}
}

func list[T ~string](words []T) string {
	names := make([]string, len(words))
	for i, word := range words {
		names[i] = string(word)
	}
	return strings.Join(names, ", ")
}

func (c *checker) text(key, value string, limit int) {
	switch {
	case len(value) > limit:
		c.fail(key, value, "has %d bytes, more than the limit of %d", len(value), limit)
	case !utf8.ValidString(value):
		c.fail(key, "", "is not valid UTF-8")
	}
}

func (c *checker) texts(key string, values []string) {
	c.each(key, values, func(value string) error {
		switch {
		case strings.TrimSpace(value) == "":
			return fmt.Errorf("is empty")
		case len(value) > maxNameBytes:
			return fmt.Errorf("has %d bytes, more than the limit of %d", len(value), maxNameBytes)
		}
		return nil
	})
}

func (c *checker) patterns(key string, values []string) { c.each(key, values, checkPattern) }

// each checks the values of a list and its length.
func (c *checker) each(key string, values []string, check func(string) error) {
	if len(values) > MaxItems {
		c.add(SeverityError, CodeTooMany, key, "", "%d values are more than the limit of %d", len(values), MaxItems)
		return
	}
	for i, value := range values {
		if err := check(value); err != nil {
			c.fail(fmt.Sprintf("%s[%d]", key, i), value, "%s", err)
		}
	}
}

func (c *checker) date(key string, value Date) {
	if _, ok := value.Time(); !ok && value != "" {
		c.fail(key, string(value), "is no date: write it as 2006-01-02")
	}
}

func (c *checker) duration(key string, value Duration) {
	if _, ok := value.Days(); !ok && value != "" {
		c.fail(key, string(value), "is no duration: write whole days or weeks, such as 180d or 26w; 0d is never")
	}
}

func (c *checker) email(key, value string) {
	if value != "" && !isEmail(value) {
		c.fail(key, value, "is no e-mail address")
	}
}

func (c *checker) slug(key, value string) {
	if value != "" && !isSlug(value) {
		c.fail(key, value, "must be a slug of the catalogue: lower-case letters, digits and hyphens")
	}
}

// join adds the name of a key to a path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// child adds the name of a map's key to a path, in the notation of strictyaml.
func child(path, name string) string {
	if name == "" || strings.ContainsAny(name, ".[]\"\\ \t\r\n") || !strconv.CanBackquote(name) {
		return path + "[" + strconv.Quote(name) + "]"
	}
	return join(path, name)
}
