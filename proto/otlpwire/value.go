package otlpwire

import (
	"fmt"
	"math"
	"time"
)

// Type is the type of a Value.
type Type uint8

// The types that the mapping uses. Other is any type it does not.
const (
	Other Type = iota
	String
	Int
	Bool
	Strings
)

// Value is one attribute value, free of any OTLP library, so that a receiver
// can bring its own decoder.
type Value struct {
	Type    Type
	String  string
	Int     int64
	Bool    bool
	Strings []string
}

// Limits of what Assign takes from a record. A longer value is an error, not a
// shorter value: nothing is cut silently.
const (
	MaxString  = 8 << 10 // bytes of one string; a Linux path is at most 4,096
	MaxStrings = 64      // elements of one list
	MaxMap     = 128     // entries of the attribute and counter maps
)

// FieldError says that one attribute cannot be taken over.
type FieldError struct {
	Key     string
	Problem string
}

// Error implements error.
func (e *FieldError) Error() string { return "attribute " + e.Key + ": " + e.Problem }

// store writes v to the place that findingField or coverageField returned.
func store(place any, key string, v Value) error {
	switch p := place.(type) {
	case *string:
		if v.Type != String {
			return &FieldError{key, "must be a string"}
		}
		if len(v.String) > MaxString {
			return &FieldError{key, fmt.Sprintf("is %d bytes long, at most %d are taken", len(v.String), MaxString)}
		}
		*p = v.String
	case *[]string:
		return storeStrings(p, key, v)
	case *bool:
		if v.Type != Bool {
			return &FieldError{key, "must be a boolean"}
		}
		*p = v.Bool
	default:
		return storeNumber(place, key, v)
	}
	return nil
}

func storeStrings(p *[]string, key string, v Value) error {
	if v.Type != Strings {
		return &FieldError{key, "must be an array of strings"}
	}
	if len(v.Strings) > MaxStrings {
		return &FieldError{key, fmt.Sprintf("has %d elements, at most %d are taken", len(v.Strings), MaxStrings)}
	}
	for _, s := range v.Strings {
		if len(s) > MaxString {
			return &FieldError{key, fmt.Sprintf("has an element of %d bytes, at most %d are taken", len(s), MaxString)}
		}
	}
	*p = v.Strings
	return nil
}

func storeNumber(place any, key string, v Value) error {
	if v.Type != Int {
		return &FieldError{key, "must be an integer"}
	}
	outOfRange := &FieldError{key, fmt.Sprintf("is out of range: %d", v.Int)}
	if v.Int < 0 {
		if _, isTime := place.(*time.Time); !isTime {
			return outOfRange
		}
	}
	switch p := place.(type) {
	case *uint64:
		*p = uint64(v.Int)
	case *uint16:
		if v.Int > math.MaxUint16 {
			return outOfRange
		}
		*p = uint16(v.Int)
	case *uint8:
		if v.Int > math.MaxUint8 {
			return outOfRange
		}
		*p = uint8(v.Int)
	case *time.Time:
		*p = time.Time{}
		if v.Int != 0 {
			*p = time.Unix(0, v.Int).UTC()
		}
	default:
		return &FieldError{key, "has no place of a known type"}
	}
	return nil
}
