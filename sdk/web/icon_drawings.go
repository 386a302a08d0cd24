package web

// drawing returns the inside of an icon on its 16 px grid, or "" for a name
// that is not drawn.
func drawing(name string) string {
	switch name {
	case "addon":
		return `<path d="M6 3.5a1.75 1.75 0 1 1 3.5 0V4H12.5v3H13a1.75 1.75 0 1 1 0 3.5h-.5V14h-9v-3.5H4A1.75 1.75 0 1 0 4 7h-.5V4H6z"/>`
	case "arrow-back":
		return `<path d="M5.75 3.5 2.5 6.75 5.75 10M2.5 6.75h7.25a3.5 3.5 0 0 1 0 7H7"/>`
	case "bank":
		return `<path d="M2 6.25 8 2.5l6 3.75zM3.5 6.5v5M6.5 6.5v5M9.5 6.5v5M12.5 6.5v5M2 13.5h12"/>`
	case "bar":
		return `<circle cx="8" cy="8" r="6.25"/><path d="m3.6 3.6 8.8 8.8"/>`
	case "bell":
		return `<path d="M3.5 11.5c1-1 1-2.5 1-4.5a3.5 3.5 0 0 1 7 0c0 2 0 3.5 1 4.5zM6.75 13.75a1.4 1.4 0 0 0 2.5 0"/>`
	case "calendar":
		return `<rect x="2" y="3" width="12" height="11" rx="1.5"/><path d="M2 6.5h12M5.25 1.5v3M10.75 1.5v3"/>`
	case "calendar-x":
		return `<rect x="2" y="3" width="12" height="11" rx="1.5"/><path d="M2 6.5h12M5.25 1.5v3M10.75 1.5v3M6.5 8.75l3 3M9.5 8.75l-3 3"/>`
	case "card":
		return `<rect x="1.5" y="3" width="13" height="10" rx="1.5"/><path d="M1.5 6.5h13M4 10h2.5"/>`
	case "check":
		return `<circle cx="8" cy="8" r="6.25"/><path d="m5.25 8.25 2 2 3.5-4"/>`
	case "chevron":
		return `<path d="m6 4 4 4-4 4"/>`
	case "chevron-down":
		return `<path d="m4 6 4 4 4-4"/>`
	case "chevron-left":
		return `<path d="m10 4-4 4 4 4"/>`
	case "chevron-up":
		return `<path d="m4 10 4-4 4 4"/>`
	case "clock":
		return `<circle cx="8" cy="8" r="6.25"/><path d="M8 4.5V8l2.5 1.5"/>`
	case "close":
		return `<path d="m4 4 8 8M12 4l-8 8"/>`
	case "compass":
		return `<circle cx="8" cy="8" r="6.25"/><path d="m10.75 5.25-1.5 4-4 1.5 1.5-4z"/>`
	case "copy":
		return `<rect x="5.5" y="5.5" width="8.5" height="8.5" rx="1.5"/><path d="M10.5 5.5v-2A1.5 1.5 0 0 0 9 2H3.5A1.5 1.5 0 0 0 2 3.5V9a1.5 1.5 0 0 0 1.5 1.5h2"/>`
	case "customers", "people":
		return `<circle cx="6" cy="5.25" r="2.5"/><path d="M1.5 13.5a4.5 4.5 0 0 1 9 0M10.75 3a2.5 2.5 0 0 1 0 4.6M12.25 9.6a4.5 4.5 0 0 1 2.25 3.9"/>`
	case "database":
		return `<path d="M2.75 3.75C2.75 2.6 5.1 1.75 8 1.75s5.25.85 5.25 2-2.35 2-5.25 2-5.25-.85-5.25-2zM2.75 3.75v8.5c0 1.15 2.35 2 5.25 2s5.25-.85 5.25-2v-8.5M2.75 8c0 1.15 2.35 2 5.25 2s5.25-.85 5.25-2"/>`
	case "document":
		return `<path d="M3.5 1.75h6l3 3v9.5h-9zM6 7.5h4M6 10.5h4"/>`
	case "download":
		return `<path d="M8 2v8M4.75 7 8 10.25 11.25 7M2.5 13.5h11"/>`
	case "external":
		return `<path d="M6.5 3h-3A1.5 1.5 0 0 0 2 4.5v8A1.5 1.5 0 0 0 3.5 14h8a1.5 1.5 0 0 0 1.5-1.5v-3M9.5 2H14v4.5M14 2 7.5 8.5"/>`
	case "halfdisc":
		return `<circle cx="8" cy="8" r="6.25"/><path d="M8 1.75a6.25 6.25 0 0 1 0 12.5z" fill="currentColor"/>`
	case "home":
		return `<path d="M2 7.25 8 2l6 5.25M3.5 6.5V14h9V6.5M6.5 14v-4h3v4"/>`
	case "hourglass":
		return `<path d="M4 1.75h8M4 14.25h8M5.25 1.75V4.5L8 8l-2.75 3.5v2.75M10.75 1.75V4.5L8 8l2.75 3.5v2.75"/>`
	case "info":
		return `<circle cx="8" cy="8" r="6.25"/><path d="M8 7.5V11M8 5v.01"/>`
	case "invoice":
		return `<path d="M3.25 1.75h9.5v12.5l-1.6-1.2-1.6 1.2L8 13.05l-1.55 1.2-1.6-1.2-1.6 1.2zM5.75 5h4.5M5.75 8h4.5"/>`
	case "lock":
		return `<rect x="3" y="7" width="10" height="7" rx="1.5"/><path d="M5.25 7V4.75a2.75 2.75 0 0 1 5.5 0V7"/>`
	case "mail":
		return `<rect x="1.75" y="3.25" width="12.5" height="9.5" rx="1.5"/><path d="M2.25 4.75 8 9l5.75-4.25"/>`
	case "mail-open":
		return `<path d="M1.75 6.5 8 2l6.25 4.5v7H1.75zM2 7l6 4 6-4"/>`
	case "mail-x":
		return `<path d="M5.5 3.25h7.25a1.5 1.5 0 0 1 1.5 1.5v6.5M11 12.75H3.25a1.5 1.5 0 0 1-1.5-1.5v-6.5c0-.4.15-.75.4-1M2 2l12 12"/>`
	case "menu":
		return `<path d="M2 4h12M2 8h12M2 12h12"/>`
	case "pen":
		return `<path d="M2.5 13.5 3.25 10.25 11 2.5l2.5 2.5-7.75 7.75zM9.25 4.25l2.5 2.5"/>`
	case "percent":
		return `<path d="m3.5 12.5 9-9"/><circle cx="4.75" cy="4.75" r="1.75"/><circle cx="11.25" cy="11.25" r="1.75"/>`
	case "person":
		return `<circle cx="8" cy="5" r="2.75"/><path d="M2.75 14a5.25 5.25 0 0 1 10.5 0"/>`
	case "phone":
		return `<path d="M3.25 2h2.5l1 3-1.5 1.25a8 8 0 0 0 4.5 4.5L11 9.25l3 1v2.5A1.25 1.25 0 0 1 12.75 14 10.75 10.75 0 0 1 2 3.25 1.25 1.25 0 0 1 3.25 2z"/>`
	case "plane":
		return `<path d="M14 2 7 9M14 2 9.5 14 7 9 2 6.5z"/>`
	case "plus":
		return `<path d="M8 3v10M3 8h10"/>`
	case "print":
		return `<path d="M4.5 6V2h7v4M4.5 11.5H2V6h12v5.5h-2.5M4.5 9.5h7V14h-7z"/>`
	case "repeat":
		return `<path d="M2 7.5a4 4 0 0 1 4-4h7M10.75 1.25 13 3.5l-2.25 2.25M14 8.5a4 4 0 0 1-4 4H3M5.25 10.25 3 12.5l2.25 2.25"/>`
	case "report":
		return `<path d="M2 2v12h12M5.5 11V8M8.75 11V4.5M12 11V6.5"/>`
	case "ring":
		return `<circle cx="8" cy="8" r="6.25" stroke-dasharray="2.6 2.3"/>`
	case "search":
		return `<circle cx="7" cy="7" r="4.75"/><path d="m10.5 10.5 3.5 3.5"/>`
	case "settings":
		return `<circle cx="8" cy="8" r="2.25"/><path d="M8 1.75v2M8 12.25v2M1.75 8h2M12.25 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4"/>`
	case "shield":
		return `<path d="M8 1.75 13.25 4v4c0 3-2.25 5.25-5.25 6.25C5 13.25 2.75 11 2.75 8V4zM5.75 8l1.5 1.5 3-3.25"/>`
	case "sign-out":
		return `<path d="M6.5 2h-3A1.5 1.5 0 0 0 2 3.5v9A1.5 1.5 0 0 0 3.5 14h3M10.5 11.25 13.75 8 10.5 4.75M13.5 8H6"/>`
	case "sort":
		return `<path d="M5 6.25 8 3.25l3 3M5 9.75l3 3 3-3"/>`
	case "tick":
		return `<path d="M3 8.5 6.5 12 13 4.5"/>`
	case "tray":
		return `<path d="M2 9.25h3.25l1 1.75h3.5l1-1.75H14M2 9.25 4.25 3h7.5L14 9.25V13H2z"/>`
	case "truck":
		return `<path d="M1.5 3.5h8v8h-8zM9.5 6.5h3l2 2.5v2.5h-5"/><circle cx="4.5" cy="12" r="1.5"/><circle cx="11.5" cy="12" r="1.5"/>`
	case "warning":
		return `<path d="M8 2 14.75 13.5H1.25zM8 6.5v3.25M8 11.7v.01"/>`
	}
	return ""
}
