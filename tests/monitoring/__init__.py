"""Scrape configuration, rules, dashboard and benchmark, judged by the real promtool."""
