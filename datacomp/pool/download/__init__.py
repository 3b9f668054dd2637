"""Downloading a pool: metadata from the hub or a folder, pictures from the web by img2dataset.

    report = download_pool("pools/small", hub_source("small"))
    report.summary.success_rate

Everything it writes appears whole or not at all, so that the same call goes on after any stop.
Needs the extra `download`.
"""

from datacomp.pool.download.external import FolderSource
from datacomp.pool.download.hub import HUB_REPOS, HubSource, hub_source
from datacomp.pool.download.options import CrawlOptions, ImageOptions
from datacomp.pool.download.own_data import OwnData
from datacomp.pool.download.reach import Reach
from datacomp.pool.download.run import DownloadReport, download_pool
from datacomp.pool.download.summary import Summary

__all__ = [
    "HUB_REPOS",
    "CrawlOptions",
    "DownloadReport",
    "FolderSource",
    "HubSource",
    "ImageOptions",
    "OwnData",
    "Reach",
    "Summary",
    "download_pool",
    "hub_source",
]
