// What stands behind # in an address never reaches a server. Browsers carry it
// through redirects to here; this carries it on to where people go afterwards.
for (const e of document.querySelectorAll('[data-return]')) e['value' in e ? 'value' : 'href'] += location.hash
