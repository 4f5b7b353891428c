package inventory

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// DirectoryImport is what a CSV file makes of a base directory.
type DirectoryImport struct {
	Directory *Directory // in normal form
	Accepted  int        // rows
	Rejected  []Rejection
	Coercions []Coercion
}

// UserColumns and HostColumns name the columns of the two directory CSV files.
func UserColumns() []string { return []string{"name", "groups", "department", "manager"} }

// HostColumns names the columns of the hosts file; labels are key=value.
func HostColumns() []string { return []string{"name", "labels", "owner", "network", "location"} }

// ImportDirectoryCSV reads the users or the hosts of a directory: a file with a
// column groups, department or manager holds users, one with labels, owner,
// network or location hosts. A directory is a snapshot, so the file replaces all
// users or all hosts of base, which may be nil; the other half stays. An unknown
// column is an error. A row that cannot be used is rejected whole.
func ImportDirectoryCSV(base *Directory, file File) (*DirectoryImport, error) {
	t, err := openTable(file)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(t.header))
	isUsers, isHosts := false, false
	for i, header := range t.header {
		names[i] = foldHeader(header)
		inUsers, inHosts := slices.Contains(UserColumns(), names[i]), slices.Contains(HostColumns(), names[i])
		if !inUsers && !inHosts {
			return nil, fmt.Errorf("reading %s: the column %q is unknown; users have %s, hosts have %s",
				file.Name, header, strings.Join(UserColumns(), ", "), strings.Join(HostColumns(), ", "))
		}
		isUsers = isUsers || !inHosts
		isHosts = isHosts || !inUsers
	}
	if isUsers == isHosts || !slices.Contains(names, "name") {
		return nil, fmt.Errorf("reading %s: the header must be that of users (%s) or of hosts (%s)",
			file.Name, strings.Join(UserColumns(), ", "), strings.Join(HostColumns(), ", "))
	}
	result := &DirectoryImport{Directory: &Directory{Schema: DirectorySchema}}
	if base != nil && isUsers {
		result.Directory.Hosts = slices.Clone(base.Hosts)
	} else if base != nil {
		result.Directory.Users = slices.Clone(base.Users)
	}
	taken := map[string]int{}
	for {
		cells, row, rejected, err := t.next()
		switch {
		case errors.Is(err, io.EOF):
			result.Directory.Normalize()
			return result, nil
		case err != nil:
			return nil, err
		case rejected != nil:
			result.Rejected = append(result.Rejected, *rejected)
		default:
			result.row(t, names, cells, row, isUsers, taken)
		}
	}
}

func (r *DirectoryImport) row(t *table, names, cells []string, row int, isUsers bool, taken map[string]int) {
	reader := &cellReader{file: t.file, row: row}
	var user User
	var host Host
	reject := func(column, value, reason string) {
		r.Rejected = append(r.Rejected, Rejection{File: t.file, Row: row, Column: column, Value: clip(value), Reason: reason})
	}
	before := len(r.Rejected)
	for i, cell := range cells {
		list := names[i] == "groups" || names[i] == "labels"
		values := reader.value(t.header[i], cell, list, asIs)
		value := strings.Join(values, "")
		switch names[i] {
		case "name":
			user.Name, host.Name = value, value
		case "groups":
			user.Groups = values
		case "department":
			user.Department = value
		case "manager":
			user.Manager = value
		case "labels":
			labels, bad := labelsOf(values)
			if bad != "" {
				reject(t.header[i], bad, "is no label: write key=value, each key once")
			}
			host.Labels = labels
		case "owner":
			host.Owner = value
		case "network":
			host.Network = value
		case "location":
			host.Location = value
		}
	}
	r.Coercions = append(r.Coercions, reader.coercions...)
	name := strings.ToLower(user.Name)
	single := Directory{Schema: DirectorySchema}
	if isUsers {
		single.Users = []User{user}
	} else {
		single.Hosts = []Host{host}
	}
	for _, issue := range single.Check() {
		reject(issue.Key[strings.IndexByte(issue.Key, '.')+1:], issue.Value, issue.Message)
	}
	if first, twice := taken[name]; twice {
		reject("name", user.Name, fmt.Sprintf("is the name of row %d as well", first))
	}
	if len(r.Rejected) > before {
		return
	}
	taken[name] = row
	r.Accepted++
	r.Directory.Users = append(r.Directory.Users, single.Users...)
	r.Directory.Hosts = append(r.Directory.Hosts, single.Hosts...)
}

// labelsOf reads key=value pairs; bad is the first that is none.
func labelsOf(values []string) (labels map[string]string, bad string) {
	for _, value := range values {
		key, text, found := strings.Cut(value, "=")
		key, text = strings.TrimSpace(key), strings.TrimSpace(text)
		if _, twice := labels[key]; !found || key == "" || twice {
			return nil, value
		}
		if labels == nil {
			labels = map[string]string{}
		}
		labels[key] = text
	}
	return labels, ""
}

// UsersCSV writes the users of d; HostsCSV its hosts. Both guard against formulas.
func (d *Directory) UsersCSV() ([]byte, error) {
	rows := [][]string{UserColumns()}
	for i := range d.Users {
		u := &d.Users[i]
		rows = append(rows, []string{guardCell(u.Name), guardCell(joinList(u.Groups)), guardCell(u.Department), guardCell(u.Manager)})
	}
	return writeCSV(rows)
}

// HostsCSV writes the hosts of d.
func (d *Directory) HostsCSV() ([]byte, error) {
	rows := [][]string{HostColumns()}
	for i := range d.Hosts {
		h := &d.Hosts[i]
		var labels []string
		for key, value := range h.Labels {
			labels = append(labels, key+"="+value)
		}
		slices.Sort(labels)
		rows = append(rows, []string{guardCell(h.Name), guardCell(joinList(labels)), guardCell(h.Owner), guardCell(h.Network), guardCell(h.Location)})
	}
	return writeCSV(rows)
}
