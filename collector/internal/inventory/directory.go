package inventory

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/gnomon-ai/gnomon/signatures/strictyaml"
)

// DirectorySchema is the value of the schema key of a directory file.
const DirectorySchema = "directory/v1"

// Limits of one directory.
const (
	MaxUsers = 1_000_000
	MaxHosts = 1_000_000
)

// Directory says who is in which group and which host is whose, at one time.
type Directory struct {
	Schema string `yaml:"schema" json:"schema"`
	Users  []User `yaml:"users,omitempty" json:"users,omitempty"`
	Hosts  []Host `yaml:"hosts,omitempty" json:"hosts,omitempty"`
}

// User is one account name, as sensors see it.
type User struct {
	Name       string   `yaml:"name" json:"name"`
	Groups     []string `yaml:"groups,omitempty" json:"groups,omitempty"`
	Department string   `yaml:"department,omitempty" json:"department,omitempty"`
	Manager    string   `yaml:"manager,omitempty" json:"manager,omitempty"`
}

// Host is one host name, as agents report it.
type Host struct {
	Name     string            `yaml:"name" json:"name"`
	Labels   map[string]string `yaml:"labels,omitempty" json:"labels,omitempty"`
	Owner    string            `yaml:"owner,omitempty" json:"owner,omitempty"`
	Network  string            `yaml:"network,omitempty" json:"network,omitempty"` // CIDR prefix or address; counts where no address was seen
	Location string            `yaml:"location,omitempty" json:"location,omitempty"`
}

// ParseDirectory reads one directory from its files. The error is of type
// strictyaml.Errors, with file, line, column and key of every problem.
func ParseDirectory(files []File) (*Directory, error) {
	if len(files) == 0 || len(files) > MaxFiles {
		return nil, fmt.Errorf("reading a directory: %d files given: name 1 to %d", len(files), MaxFiles)
	}
	merged := &Directory{Schema: DirectorySchema}
	var all strictyaml.Errors
	taken := map[string]string{} // "users ana" -> file
	for _, file := range files {
		var d Directory
		positions, err := strictyaml.Decode(file.Name, file.Data, &d)
		var problems strictyaml.Errors
		switch {
		case errors.As(err, &problems):
			all = append(all, problems...)
			continue
		case err != nil:
			return nil, err
		}
		for _, issue := range d.Check() {
			all = append(all, positions.Errorf(issue.Key, "%s", describe(issue)))
		}
		for key, name := range d.names() {
			if home, twice := taken[name]; twice && home != file.Name {
				all = append(all, positions.Errorf(key, "is in %s as well: every name needs to be there once", home))
			}
			taken[name] = file.Name
		}
		merged.Users = append(merged.Users, d.Users...)
		merged.Hosts = append(merged.Hosts, d.Hosts...)
	}
	all.Sort()
	if err := all.Err(); err != nil {
		return nil, err
	}
	if err := merged.Check().Err(); err != nil { // limits over all files
		return nil, strictyaml.Errors{{File: files[0].Name, Message: err.Error()}}
	}
	merged.Normalize()
	return merged, nil
}

// names lists every user and host with the key where it stands.
func (d *Directory) names() map[string]string {
	names := make(map[string]string, len(d.Users)+len(d.Hosts))
	for i := range d.Users {
		names[fmt.Sprintf("users[%d].name", i)] = "user " + strings.ToLower(d.Users[i].Name)
	}
	for i := range d.Hosts {
		names[fmt.Sprintf("hosts[%d].name", i)] = "host " + strings.ToLower(d.Hosts[i].Name)
	}
	return names
}

// Check returns every issue of d in the order of the document; all are errors.
// Names compare without regard to case.
func (d *Directory) Check() Issues {
	c := &checker{}
	if d.Schema != DirectorySchema {
		c.fail("schema", d.Schema, "must be %q", DirectorySchema)
	}
	if len(d.Users) > MaxUsers {
		c.add(SeverityError, CodeTooMany, "users", "", "%d users are more than the limit of %d", len(d.Users), MaxUsers)
	}
	if len(d.Hosts) > MaxHosts {
		c.add(SeverityError, CodeTooMany, "hosts", "", "%d hosts are more than the limit of %d", len(d.Hosts), MaxHosts)
	}
	users := make(map[string]bool, len(d.Users))
	for i := range d.Users {
		u, key := &d.Users[i], fmt.Sprintf("users[%d]", i)
		c.uniqueName(key+".name", u.Name, users)
		c.texts(key+".groups", u.Groups)
		c.text(key+".department", u.Department, maxNameBytes)
		c.text(key+".manager", u.Manager, maxNameBytes)
	}
	hosts := make(map[string]bool, len(d.Hosts))
	for i := range d.Hosts {
		h, key := &d.Hosts[i], fmt.Sprintf("hosts[%d]", i)
		c.uniqueName(key+".name", h.Name, hosts)
		for _, name := range slices.Sorted(maps.Keys(h.Labels)) {
			if strings.TrimSpace(name) == "" {
				c.fail(key+".labels", name, "has a label without a name")
			}
			c.text(child(key+".labels", name), h.Labels[name], maxNameBytes)
		}
		c.text(key+".owner", h.Owner, maxNameBytes)
		c.text(key+".location", h.Location, maxNameBytes)
		if _, ok := h.Prefix(); !ok && h.Network != "" {
			c.fail(key+".network", h.Network, "is no CIDR prefix such as 10.1.0.0/16, and no address")
		}
	}
	return c.issues
}

func (c *checker) uniqueName(key, name string, taken map[string]bool) {
	folded := strings.ToLower(name)
	switch {
	case strings.TrimSpace(name) == "" || strings.TrimSpace(name) != name:
		c.fail(key, name, "must be a name without space at its ends")
	case taken[folded]:
		c.fail(key, name, "is there twice")
	}
	taken[folded] = true
	c.text(key, name, maxNameBytes)
}

// Prefix returns the network of h; ok is false where none is known.
func (h *Host) Prefix() (network netip.Prefix, ok bool) {
	if prefix, err := netip.ParsePrefix(h.Network); err == nil && !prefix.Addr().Is4In6() {
		return prefix.Masked(), true
	}
	if address, err := netip.ParseAddr(h.Network); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), true
	}
	return netip.Prefix{}, false
}

// YAML writes d in normal form.
func (d *Directory) YAML() ([]byte, error) {
	copied := Directory{Users: slices.Clone(d.Users), Hosts: slices.Clone(d.Hosts)}
	copied.Normalize()
	return encodeYAML(&copied)
}

// DirectoryIndex answers for users and hosts by name, without regard to case. It
// is immutable and safe for concurrent use.
type DirectoryIndex struct {
	users map[string]*User
	hosts map[string]*Host
}

// Index builds the index of d, which must not be changed afterwards. A nil
// directory has an index that knows nobody.
func (d *Directory) Index() *DirectoryIndex {
	x := &DirectoryIndex{users: map[string]*User{}, hosts: map[string]*Host{}}
	if d == nil {
		return x
	}
	for i := range d.Users {
		x.users[strings.ToLower(d.Users[i].Name)] = &d.Users[i]
	}
	for i := range d.Hosts {
		x.hosts[strings.ToLower(d.Hosts[i].Name)] = &d.Hosts[i]
	}
	return x
}

// User returns what is known of a user, nil for nothing.
func (x *DirectoryIndex) User(name string) *User { return x.users[strings.ToLower(name)] }

// Host returns what is known of a host, nil for nothing.
func (x *DirectoryIndex) Host(name string) *Host { return x.hosts[strings.ToLower(name)] }

// Groups returns the groups of a user: nil where the user is not known, empty
// and not nil for a known user without any. reconcile.Usage wants exactly that.
func (x *DirectoryIndex) Groups(user string) []string {
	u := x.User(user)
	switch {
	case u == nil:
		return nil
	case u.Groups == nil:
		return []string{}
	}
	return u.Groups
}

// Labels returns the labels of a host: nil where the host is not known, empty
// and not nil for a known host without any.
func (x *DirectoryIndex) Labels(host string) map[string]string {
	h := x.Host(host)
	switch {
	case h == nil:
		return nil
	case h.Labels == nil:
		return map[string]string{}
	}
	return h.Labels
}

// Network returns the network of a host; it is not valid where none is known.
func (x *DirectoryIndex) Network(host string) netip.Prefix {
	if h := x.Host(host); h != nil {
		if prefix, ok := h.Prefix(); ok {
			return prefix
		}
	}
	return netip.Prefix{}
}
