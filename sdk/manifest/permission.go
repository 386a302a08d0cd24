package manifest

// permissionTitles holds what each permission means, in a biller's words and in
// the order people read them.
func permissionTitles() [][2]string {
	return [][2]string{
		{"customers:read", "Read customers"},
		{"customers:write", "Change customers"},
		{"invoices:read", "Read invoices"},
		{"payments:write", "Start payments"},
		{"mail:send", "Send mail in your name"},
		{"billers:read", "Read your company’s name and contact"},
		{"staff:notify", "Notify your staff"},
		{"audit:write", "Write to the audit log"},
		{"database", "A database of its own"},
	}
}

// PermissionNames returns the permissions an add-on may ask for.
func PermissionNames() []string {
	var names []string
	for _, p := range permissionTitles() {
		names = append(names, p[0])
	}
	return names
}

// PermissionTitle returns the permission in plain words, such as "Read
// customers"; an unknown name comes back as it is.
func PermissionTitle(name string) string {
	for _, p := range permissionTitles() {
		if p[0] == name {
			return p[1]
		}
	}
	return name
}

func (c *checker) permissions(m *Manifest) {
	seen := map[string]bool{}
	for i, p := range m.Permissions {
		at := index("permissions", i)
		c.known(at+".name", "permission", p.Name, PermissionNames())
		if p.Name != "" && seen[p.Name] {
			c.add(at+".name", "%s is listed twice; remove one of them", p.Name)
		}
		seen[p.Name] = true
		switch n := length(p.Reason); {
		case n == 0:
			c.add(at+".reason", "is missing; tell the biller in one sentence why the add-on needs this")
		case n < 10:
			c.add(at+".reason", "%q is too short; tell the biller in one sentence why the add-on needs this", p.Reason)
		default:
			c.text(at+".reason", p.Reason, 10, 300)
		}
	}
}
