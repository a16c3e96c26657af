#!/usr/bin/env python3
"""A browser without a person: follows a login to its end, and says yes where it is asked.

    browser.py ADDRESS

Who it is, where a provider wants to know: BROWSER_USER and BROWSER_PASSWORD.
"""
import html
import http.cookiejar
import os
import re
import sys
import urllib.parse
import urllib.request

# As browsers do it, loopback is as good as TLS.
policy = http.cookiejar.DefaultCookiePolicy(secure_protocols=("https", "http"))
jar = http.cookiejar.CookieJar(policy)
web = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(jar))


def visit(address, fields=None):
    data = urllib.parse.urlencode(fields).encode() if fields is not None else None
    with web.open(address, data, timeout=20) as answer:
        return answer.geturl(), answer.read().decode()


place, page = visit(sys.argv[1])
for _ in range(4):
    form = re.search(r'<form[^>]*action="([^"]+)"', page)
    if not form:
        break
    hidden = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page))
    hidden = {name: html.unescape(value) for name, value in hidden.items()}
    for no in ("abort", "cancel"):
        hidden.pop(no, None)
    hidden.setdefault("confirm", "yes")
    if re.search(r'<input[^>]*name="password"', page):
        hidden.update(username=os.environ["BROWSER_USER"], password=os.environ["BROWSER_PASSWORD"])
    place, page = visit(urllib.parse.urljoin(place, html.unescape(form.group(1))), hidden)
print(place.split("?")[0])
