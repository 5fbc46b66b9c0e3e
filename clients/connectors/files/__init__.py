"""Tables in text files of a folder, as desktop programs export and import them: what connectors of such folders share.

Must not: know any system, or settings of one.
"""
