"""Webdataset shards: from pool and subset to tars, by byte ranges through the offset index."""
