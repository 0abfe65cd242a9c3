"""The words of the synthetic titles, chosen so that a title shows its genre."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Genre:
    """A genre and its vocabulary; no title is drawn twice."""

    name: str
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    places: tuple[str, ...]

    def titles(self, n: int, rng: np.random.Generator) -> list[str]:
        """`n` different titles: the short forms first, then the long one, then long ones with a number."""
        short = [f"The {adjective} {noun}" for adjective in self.adjectives for noun in self.nouns]
        short += [f"{noun} of {place}" for noun in self.nouns for place in self.places]
        titles = _shuffled(short, rng)
        if n > len(titles):
            long = [f"{title} of {place}" for title in short[: -len(short) // 2] for place in self.places]
            titles += _shuffled(long, rng)
        rounds = -(-n // len(titles))
        numbered = [f"{title}, Edition {again}" for again in range(2, rounds + 1) for title in titles]
        return (titles + numbered)[:n]


def _shuffled(titles: list[str], rng: np.random.Generator) -> list[str]:
    return [titles[at] for at in rng.permutation(len(titles))]


def _genre(name: str, adjectives: str, nouns: str, places: str) -> Genre:
    return Genre(name, tuple(adjectives.split()), tuple(nouns.split()), tuple(places.split("; ")))


GENRES = (
    _genre(
        "mystery",
        "Crooked Borrowed Vanishing Sealed Second Poisoned Velvet Unsigned Locked Misplaced Twelfth Patient",
        "Alibi Witness Ledger Verdict Inspector Cipher Suspect Testimony Inheritance Keyhole Confession Fingerprint",
        "Marrow Lane; Pell Street; the Night Train; Hollis Court; the Third Floor; Quarry Hill; "
        "the Back Office; Wicker Row; the Lodger; Ash Crescent; the Coroner; Room Nineteen",
    ),
    _genre(
        "space",
        "Outer Drifting Orbital Radiant Stranded Frozen Zero Ringed Silver Faint Magnetic Endless",
        "Signal Orbit Starship Airlock Comet Colony Beacon Telescope Astronaut Nebula Satellite Horizon",
        "Calder Station; the Ninth Moon; Vesper Prime; the Red Shift; Tau Harbour; the Long Array; "
        "Kestrel Nine; the Dark Side; Halden Belt; the Last Relay; Ceres Deep; the Far Dock",
    ),
    _genre(
        "romance",
        "Tender Summer Unsent Moonlit Blushing Second Reluctant Secret Charming Hopeful Candlelit Runaway",
        "Kiss Wedding Sweetheart Promise Courtship Valentine Bride Embrace Suitor Heartbeat Proposal Honeymoon",
        "Lavender Bay; the Baker's Son; Rosemount; Paris in June; the Duke Next Door; Honeysuckle Inn; "
        "the Florist; Magnolia Street; the Best Man; Willow Ferry; the Dance Hall; Amber Cove",
    ),
    _genre(
        "fantasy",
        "Glass Thorned Emerald Whispering Ashen Enchanted Rune-Cut Crowned Shattered Elder Winged Moonforged",
        "Orchard Dragon Sorcerer Crown Blade Prophecy Wyvern Spellbook Throne Griffin Oath Talisman",
        "Eldermere; the Seven Towers; Thornwald; the Hollow King; Ravenmark; the Sleeping Gods; "
        "Ister Vale; the Witch Queen; Duskhaven; the Broken Seal; Ormgard; the Silver Gate",
    ),
    _genre(
        "cookery",
        "Copper Buttered Slow Rustic Spiced Golden Salted Sunday Smoky Crusty Pickled Hearty",
        "Ladle Skillet Oven Loaf Broth Pantry Dumpling Larder Casserole Marmalade Whisk Pastry",
        "a Small Kitchen; Grandmother Ines; the Market Hall; Four Seasons; the Olive Coast; the Wood Stove; "
        "One Pot; the Allotment; the Village Bakery; Late Suppers; the Spice Road; Plain Flour",
    ),
    _genre(
        "sea",
        "Tidal Leeward Salt-Worn Barnacled Becalmed Northern Stormy Sunken Drowned Weathered Coral Starboard",
        "Schooner Lighthouse Anchor Mariner Harpoon Captain Lagoon Mainsail Whaler Shipwreck Compass Harbour",
        "Gannet Rock; the Roaring Forties; Port Sorrel; the Skerries; Cape Mercy; the Fog Bank; "
        "Trinity Sound; the Spice Fleet; Gull Island; the Deep Shelf; Saint Elmo; the Long Swell",
    ),
    _genre(
        "garden",
        "Climbing Perennial Wild Walled Dewy Rambling Potted Shady Blossoming Evergreen Overgrown Mossy",
        "Rosebush Hedge Trellis Greenhouse Meadow Seedling Compost Dahlia Bulb Topiary Bumblebee Pergola",
        "Dry Summers; the North Wall; Clay Soil; a City Balcony; the Old Vicarage; Early Frost; "
        "the Kitchen Plot; Chalk Downs; the Head Gardener; Bare Roots; the Potting Shed; Slow Autumns",
    ),
    _genre(
        "ghost",
        "Haunted Pale Restless Buried Shrouded Hollow Weeping Cursed Cobwebbed Unquiet Midnight Faceless",
        "Phantom Crypt Attic Gravestone Seance Apparition Coffin Spectre Nursery Graveyard Revenant Bell",
        "Grimshaw House; the Empty Ward; Black Fen; the Drowned Village; Saint Ulric; the Cold Stair; "
        "Mourning Hill; the Last Tenant; Yew Tree End; the Shut Chapel; Gallow Moor; the Thirteenth Guest",
    ),
    _genre(
        "mountain",
        "Icy Steep Windward Granite High Snowbound Roped Thin Avalanche Solitary Jagged Alpine",
        "Summit Glacier Ridge Sherpa Crevasse Basecamp Ascent Icefall Crampon Couloir Expedition Bivouac",
        "the West Face; Karsang; the Death Zone; Mount Orrin; the Winter Route; Needle Pass; "
        "Eight Thousand Metres; the Lost Team; Tarn Col; the Frozen Wall; Hidden Valley; the Third Camp",
    ),
    _genre(
        "animals",
        "Clever Sleepy Muddy Brave Hungry Giggling Tiny Spotty Grumpy Dancing Curious Woolly",
        "Hedgehog Badger Duckling Otter Rabbit Piglet Squirrel Tortoise Penguin Kitten Owl Donkey",
        "Puddle Farm; Bramble Wood; Number Six; the Big Umbrella; Bluebell Pond; the Lost Mitten; "
        "Pancake Day; the Red Wagon; Snowy Hill; the Picnic Basket; Clover Meadow; the Noisy Barn",
    ),
)
"""Ordered from the genre with the most titles and readers to the one with the fewest."""
