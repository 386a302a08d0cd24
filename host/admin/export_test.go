package admin

// Document turns an add-on's Markdown into HTML for its page.
var Document = document
