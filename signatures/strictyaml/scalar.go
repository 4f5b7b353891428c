package strictyaml

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// scalar decodes a single value into a Go string, boolean or number.
func (d *decoder) scalar(n *yaml.Node, target reflect.Value, key string) {
	if !decodable(target.Kind()) {
		d.fault = fmt.Errorf("%s: cannot decode into type %s", key, target.Type())
		return
	}
	if n.Kind != yaml.ScalarNode {
		d.problem(n, key, "want %s, got %s", describe(target), kindName(n))
		return
	}
	tag := n.ShortTag()
	wrong := func() {
		hint := ""
		if target.Kind() == reflect.String {
			hint = "; put it in quotes"
		}
		d.problem(n, key, "want %s, got %s %s%s", describe(target), tagName(tag), clip(n.Value), hint)
	}
	switch target.Kind() {
	case reflect.String:
		// A date is text in a string field: only a time.Time field makes it a time.
		if tag != "!!str" && tag != "!!timestamp" {
			wrong()
			return
		}
		target.SetString(n.Value)
	case reflect.Bool:
		v, err := strconv.ParseBool(strings.ToLower(n.Value))
		if tag != "!!bool" || err != nil || len(n.Value) < len("true") {
			wrong()
			return
		}
		target.SetBool(v)
	case reflect.Float32, reflect.Float64:
		d.float(n, target, key, tag, wrong)
	default:
		if tag != "!!int" {
			wrong()
			return
		}
		d.integer(n, target, key)
	}
}

func decodable(k reflect.Kind) bool {
	switch k {
	case reflect.String, reflect.Bool, reflect.Float32, reflect.Float64:
		return true
	}
	return k >= reflect.Int && k <= reflect.Uint64
}

// integer accepts decimal and, with 0x, 0o or 0b, other bases. A leading zero is
// refused: YAML 1.1 reads it as octal, YAML 1.2 as decimal.
func (d *decoder) integer(n *yaml.Node, target reflect.Value, key string) {
	plain := strings.ReplaceAll(n.Value, "_", "")
	digits := strings.TrimLeft(plain, "+-")
	if len(digits) > 1 && digits[0] == '0' && digits[1] >= '0' && digits[1] <= '9' {
		d.problem(n, key, "the number %s starts with 0; write it without, or with 0o for octal", clip(n.Value))
		return
	}
	var err error
	if target.CanInt() {
		var v int64
		if v, err = strconv.ParseInt(plain, 0, target.Type().Bits()); err == nil {
			target.SetInt(v)
		}
	} else {
		var v uint64
		if v, err = strconv.ParseUint(strings.TrimPrefix(plain, "+"), 0, target.Type().Bits()); err == nil {
			target.SetUint(v)
		}
	}
	if err != nil {
		d.problem(n, key, "want %s, got %s", describe(target), clip(n.Value))
	}
}

func (d *decoder) float(n *yaml.Node, target reflect.Value, key, tag string, wrong func()) {
	if tag != "!!float" && tag != "!!int" {
		wrong()
		return
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(n.Value, "_", ""), target.Type().Bits())
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		d.problem(n, key, "want a decimal number, got %s", clip(n.Value))
		return
	}
	target.SetFloat(v)
}

// ParseDuration is time.ParseDuration with days: "30d", "1d12h", "-2d". A day is
// 24 hours.
func ParseDuration(text string) (time.Duration, error) {
	bad := fmt.Errorf("want a duration with its unit, such as 30s, 15m, 12h or 30d, got %q", clip(text))
	sign, rest := 1, text
	if strings.HasPrefix(rest, "-") {
		sign, rest = -1, rest[1:]
	}
	var days time.Duration
	if number, after, found := strings.Cut(rest, "d"); found {
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil {
			return 0, bad
		}
		if n > uint64(math.MaxInt64/(24*time.Hour)) {
			return 0, fmt.Errorf("the duration %q is over 292 years", clip(text))
		}
		days, rest = time.Duration(n)*24*time.Hour, after
		if rest == "" {
			return time.Duration(sign) * days, nil
		}
	}
	if rest == "" || rest[0] == '-' || rest[0] == '+' {
		return 0, bad
	}
	v, err := time.ParseDuration(rest)
	if err != nil {
		return 0, bad
	}
	if days > math.MaxInt64-v {
		return 0, fmt.Errorf("the duration %q is over 292 years", clip(text))
	}
	return time.Duration(sign) * (days + v), nil
}

// parseTime reads a date (midnight UTC) or a time of RFC 3339.
func parseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("want a date such as 2026-01-31 or a time such as 2026-01-31T12:00:00Z, got " + strconv.Quote(clip(text)))
}

// isNull says whether n is a key without a value. The value is looked at too:
// an explicit !!null tag can stand before anything.
func isNull(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!null" {
		return false
	}
	return n.Value == "" || n.Value == "~" || strings.EqualFold(n.Value, "null")
}

// describe names what a target wants, for messages.
func describe(target reflect.Value) string {
	switch target.Interface().(type) {
	case time.Duration:
		return "a duration"
	case time.Time:
		return "a date"
	}
	switch k := target.Kind(); {
	case isText(target), k == reflect.String:
		return "text"
	case k == reflect.Bool:
		return "true or false"
	case k == reflect.Struct, k == reflect.Map:
		return "a mapping"
	case k == reflect.Slice, k == reflect.Array:
		return "a list"
	case k == reflect.Float32, k == reflect.Float64:
		return "a decimal number"
	case target.CanUint():
		return fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)>>(64-target.Type().Bits()))
	case target.CanInt() && target.Type().Bits() < 64:
		m := int64(1) << (target.Type().Bits() - 1)
		return fmt.Sprintf("a whole number from %d to %d", -m, m-1)
	default:
		return "a whole number"
	}
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	default:
		return "a single value"
	}
}

func tagName(tag string) string {
	switch tag {
	case "!!int", "!!float":
		return "the number"
	case "!!bool":
		return "the boolean"
	case "!!str":
		return "the text"
	case "!!timestamp":
		return "the date"
	default:
		return "a value with the tag " + clip(tag) + ":"
	}
}

// clip keeps quoted input short enough for one line of a message.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
