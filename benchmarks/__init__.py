"""Measurements that the documents quote; none of it is installed."""
