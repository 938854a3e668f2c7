"""German nouns for things and places, in the form that `nouns` describes."""

from __future__ import annotations

VEHICLES = """
n Fahrzeug Fahrzeuge vehicle; n Auto Autos car; m Wagen Wagen car; m Lastwagen Lastwagen truck
m Laster Laster truck; m LKW LKWs truck; m Lieferwagen Lieferwagen van; m Bus Busse bus
m Doppeldeckerbus Doppeldeckerbusse double-decker_bus; m Zug Züge train; f Bahn Bahnen train
f Lokomotive Lokomotiven engine; f Lok Loks engine; m Waggon Waggons train_car
f Straßenbahn Straßenbahnen tram; n Fahrrad Fahrräder bike; n Rad Räder bike
n Motorrad Motorräder motorcycle; m Roller Roller scooter; n Boot Boote boat
n Schiff Schiffe ship; n Segelboot Segelboote sailboat; n Kanu Kanus canoe; n Kajak Kajaks kayak
n Flugzeug Flugzeuge airplane; m Hubschrauber Hubschrauber helicopter
n Passagierflugzeug Passagierflugzeuge passenger_plane; n Taxi Taxis taxi
m Traktor Traktoren tractor; m Krankenwagen Krankenwagen ambulance
n Polizeiauto Polizeiautos police_car; f Kutsche Kutschen carriage
n Feuerwehrauto Feuerwehrautos fire_truck; m Anhänger Anhänger trailer; m Karren Karren cart
n Wohnmobil Wohnmobile RV; m Kinderwagen Kinderwagen stroller; m Rollstuhl Rollstühle wheelchair
m Schlitten Schlitten sled; n Skateboard Skateboards skateboard; n Surfbrett Surfbretter surfboard
n Snowboard Snowboards snowboard; - - Skier ski; - - Ski ski; m Ski - ski; f Fähre Fähren ferry
m Heißluftballon Heißluftballons hot_air_balloon
"""

PLACES = """
m Ort Orte place; m Platz Plätze place; m Raum Räume room; n Zimmer Zimmer room
f Küche Küchen kitchen; n Badezimmer Badezimmer bathroom; n Bad Bäder bathroom
n Schlafzimmer Schlafzimmer bedroom; n Wohnzimmer Wohnzimmer living_room
n Esszimmer Esszimmer dining_room; n Kinderzimmer Kinderzimmer child's_room; n Büro Büros office
n Haus Häuser house; n Gebäude Gebäude building; f Wohnung Wohnungen apartment
f Kirche Kirchen church; f Schule Schulen school; n Hotel Hotels hotel
n Restaurant Restaurants restaurant; n Café Cafés cafe; m Laden Läden store
n Geschäft Geschäfte store; m Supermarkt Supermärkte supermarket; m Markt Märkte market
m Bahnhof Bahnhöfe train_station; m Bahnsteig Bahnsteige platform; m Flughafen Flughäfen airport
f Landebahn Landebahnen runway; m Hafen Häfen harbor; f Bushaltestelle Bushaltestellen bus_stop
m Parkplatz Parkplätze parking_lot; f Garage Garagen garage; f Straße Straßen street
m Weg Wege path; m Gehweg Gehwege sidewalk; m Bürgersteig Bürgersteige sidewalk
f Kreuzung Kreuzungen intersection; m Zebrastreifen Zebrastreifen crosswalk
f Autobahn Autobahnen highway; f Brücke Brücken bridge; m Turm Türme tower; m Tunnel Tunnel tunnel
f Stadt Städte city; n Dorf Dörfer village; n Land Länder country; m Park Parks park
m Garten Gärten garden; m Zoo Zoos zoo; n Gehege Gehege enclosure; m Hof Höfe yard
m Bauernhof Bauernhöfe farm; f Scheune Scheunen barn; m Stall Ställe stable; n Feld Felder field
f Wiese Wiesen meadow; f Weide Weiden pasture; m Rasen Rasen lawn; m Wald Wälder forest
m Strand Strände beach; n Meer Meere ocean; m Ozean Ozeane ocean; f See - sea; m See Seen lake
m Teich Teiche pond; m Fluss Flüsse river; n Ufer Ufer shore; f Küste Küsten coast
m Berg Berge mountain; m Hügel Hügel hill; m Hang Hänge slope; f Piste Pisten slope
f Skipiste Skipisten ski_slope; f Wüste Wüsten desert; f Insel Inseln island; m Himmel - sky
m Boden Böden floor; f Wand Wände wall; f Mauer Mauern wall; f Decke Decken ceiling
n Dach Dächer roof; f Treppe Treppen stairs/stairs; f Stufe Stufen step; m Flur Flure hallway
m Balkon Balkone balcony; f Terrasse Terrassen patio; m Spielplatz Spielplätze playground
m Tennisplatz Tennisplätze tennis_court; m Sportplatz Sportplätze sports_field
n Spielfeld Spielfelder field; n Stadion Stadien stadium; m Skatepark Skateparks skate_park
m Pool Pools pool; n Schwimmbad Schwimmbäder swimming_pool; m Gleis Gleise track
f Schiene Schienen track; f Ecke Ecken corner; f Seite Seiten side; m Hintergrund - background
m Vordergrund - foreground; f Mitte - middle; m Teil Teile part
n Krankenhaus Krankenhäuser hospital; f Bücherei Büchereien library; n Museum Museen museum
m Friedhof Friedhöfe cemetery; f Bäckerei Bäckereien bakery
f Baustelle Baustellen construction_site; f Tankstelle Tankstellen gas_station; n Zelt Zelte tent
f Burg Burgen castle; n Schloss Schlösser castle; f Rampe Rampen ramp
f Umgebung Umgebungen environment; n Freie - outdoors
"""

THINGS = """
n Ding Dinge thing; m Gegenstand Gegenstände object; n Objekt Objekte object; f Sache Sachen thing
m Tisch Tische table; m Schreibtisch Schreibtische desk; m Stuhl Stühle chair; f Bank Bänke bench
n Sofa Sofas couch; f Couch Couchs couch; m Sessel Sessel armchair; m Hocker Hocker stool
n Bett Betten bed; m Schrank Schränke cabinet; n Regal Regale shelf/shelves
f Schublade Schubladen drawer; f Lampe Lampen lamp; m Spiegel Spiegel mirror
m Teppich Teppiche rug; m Vorhang Vorhänge curtain; f Gardine Gardinen curtain
f Jalousie Jalousien blinds/blinds; n Rollo Rollos shade; n Fenster Fenster window
f Tür Türen door; n Tor Tore gate; n Kissen Kissen pillow; f Bettdecke Bettdecken blanket
f Matratze Matratzen mattress; n Handtuch Handtücher towel; f Badewanne Badewannen bathtub
f Wanne Wannen tub; f Dusche Duschen shower; f Toilette Toiletten toilet; n Klo Klos toilet
n Waschbecken Waschbecken sink; f Spüle Spülen sink; n Urinal Urinale urinal
n Toilettenpapier - toilet_paper; m Wasserhahn Wasserhähne faucet; f Fliese Fliesen tile
m Herd Herde stove; m Ofen Öfen oven; f Mikrowelle Mikrowellen microwave; m Backofen Backöfen oven
m Kühlschrank Kühlschränke refrigerator; m Toaster Toaster toaster; m Mixer Mixer blender
m Topf Töpfe pot; f Pfanne Pfannen pan; m Teller Teller plate; f Schüssel Schüsseln bowl
f Schale Schalen bowl; f Tasse Tassen cup; m Becher Becher cup; n Glas Gläser glass
n Weinglas Weingläser wine_glass; f Flasche Flaschen bottle
f Weinflasche Weinflaschen wine_bottle; f Dose Dosen can; f Gabel Gabeln fork
n Messer Messer knife/knives; m Löffel Löffel spoon; f Serviette Servietten napkin
f Tischdecke Tischdecken tablecloth; n Tablett Tabletts tray; f Schere Scheren scissors/scissors
f Kerze Kerzen candle; f Vase Vasen vase; f Blume Blumen flower; f Rose Rosen rose
f Pflanze Pflanzen plant; m Blumentopf Blumentöpfe flower_pot; m Baum Bäume tree
f Palme Palmen palm_tree; m Busch Büsche bush; m Ast Äste branch; m Zweig Zweige branch
n Blatt Blätter leaf/leaves; m Stamm Stämme trunk; m Stein Steine rock; m Fels Felsen rock
m Felsen Felsen rock; f Wolke Wolken cloud; f Sonne Sonnen sun; m Mond Monde moon
m Schatten Schatten shadow; f Welle Wellen wave; m Regenbogen Regenbögen rainbow
m Stern Sterne star; m Zaun Zäune fence; n Geländer Geländer railing; m Pfosten Pfosten post
m Mast Masten pole; f Stange Stangen pole; f Ampel Ampeln traffic_light; n Schild Schilder sign
n Straßenschild Straßenschilder street_sign; n Stoppschild Stoppschilder stop_sign
n Verkehrsschild Verkehrsschilder traffic_sign; n Plakat Plakate poster; n Poster Poster poster
f Fahne Fahnen flag; f Flagge Flaggen flag; m Hydrant Hydranten fire_hydrant
f Parkuhr Parkuhren parking_meter; f Laterne Laternen street_light
f Straßenlaterne Straßenlaternen street_light; f Mülltonne Mülltonnen trash_can
m Mülleimer Mülleimer trash_can; m Brunnen Brunnen fountain; f Statue Statuen statue
n Rad:teil Räder:teil wheel; m Reifen Reifen tire; m Sattel Sättel saddle
m Scheinwerfer Scheinwerfer headlight; n Nummernschild Nummernschilder license_plate
m Motor Motoren engine; f Windschutzscheibe Windschutzscheiben windshield; f Tasche Taschen bag
f Handtasche Handtaschen purse; m Koffer Koffer suitcase; m Beutel Beutel bag; f Tüte Tüten bag
m Korb Körbe basket; f Kiste Kisten box; f Schachtel Schachteln box; m Karton Kartons box
m Eimer Eimer bucket; m Regenschirm Regenschirme umbrella; m Schirm Schirme umbrella
m Sonnenschirm Sonnenschirme umbrella; f Uhr Uhren clock; m Wecker Wecker alarm_clock
m Zeiger Zeiger hand; n Buch Bücher book; f Zeitung Zeitungen newspaper
f Zeitschrift Zeitschriften magazine; m Brief Briefe letter; m Stift Stifte pen
m Computer Computer computer; m Laptop Laptops laptop; f Tastatur Tastaturen keyboard
m Bildschirm Bildschirme screen; m Monitor Monitore monitor; m Fernseher Fernseher TV
f Fernbedienung Fernbedienungen remote; n Handy Handys cell_phone; n Telefon Telefone phone
n Smartphone Smartphones phone; f Kamera Kameras camera; n Radio Radios radio
m Lautsprecher Lautsprecher speaker; n Kabel Kabel cord; m Stecker Stecker plug
f Steckdose Steckdosen outlet; n Mikrofon Mikrofone microphone; f Gitarre Gitarren guitar
n Klavier Klaviere piano; n Instrument Instrumente instrument; f Trommel Trommeln drum
m Ball Bälle ball; m Fußball Fußbälle soccer_ball; m Tennisball Tennisbälle tennis_ball
n Frisbee Frisbees frisbee; f Frisbee Frisbees frisbee; m Schläger Schläger racket
m Tennisschläger Tennisschläger tennis_racket; m Baseballschläger Baseballschläger baseball_bat
m Baseballhandschuh Baseballhandschuhe baseball_glove; n Netz Netze net; m Drachen Drachen kite
m Skistock Skistöcke ski_pole; n Paddel Paddel paddle; f Leine Leinen leash; n Seil Seile rope
n Segel Segel sail; n Spiel Spiele game; f Puppe Puppen doll; m Teddybär Teddybären teddy_bear
m Teddy Teddys teddy_bear; n Kuscheltier Kuscheltiere stuffed_animal
n Stofftier Stofftiere stuffed_animal; m Luftballon Luftballons balloon; m Ballon Ballons balloon
n Geschenk Geschenke gift; m Föhn Föhne hair_dryer; f Zahnbürste Zahnbürsten toothbrush
f Bürste Bürsten brush; m Kamm Kämme comb; f Zigarette Zigaretten cigarette
f Fackel Fackeln torch; f Waffe Waffen weapon; n Gewehr Gewehre gun; n Werkzeug Werkzeuge tool
f Leiter Leitern ladder; f Box Boxen box; m Kamin Kamine fireplace
m Schornstein Schornsteine chimney; n Bild Bilder picture; n Foto Fotos photo
f Aufnahme Aufnahmen photo; n Gemälde Gemälde painting; m Rahmen Rahmen frame
m Magnet Magnete magnet; n Etikett Etiketten label; n Logo Logos logo
m Aufkleber Aufkleber sticker; n Muster Muster pattern; m Streifen Streifen stripe
m Fleck Flecken spot; m Punkt Punkte dot; f Linie Linien line; m Kreis Kreise circle
m Knopf Knöpfe button; f Taschenlampe Taschenlampen flashlight; m Sitz Sitze seat
f Tafel Tafeln blackboard; m Fallschirm Fallschirme parachute; m Kalender Kalender calendar
m Duschvorhang Duschvorhänge shower_curtain
"""

FOOD = """
n Lebensmittel Lebensmittel food; f Frucht Früchte fruit; f Pizza Pizzen pizza; - - Pizzas pizza
n Sandwich Sandwiches sandwich; m Hotdog Hotdogs hot_dog; m Hamburger Hamburger hamburger
m Burger Burger burger; f Wurst Würste sausage; f Pommes - french_fries/french_fries
- - Pommes french_fries/french_fries; f Suppe Suppen soup; - - Nudeln noodle; f Nudel - noodle
- - Spaghetti spaghetti/spaghetti; m Kuchen Kuchen cake; f Torte Torten cake
m Geburtstagskuchen Geburtstagskuchen birthday_cake; m Donut Donuts donut; m Keks Kekse cookie
m Pfannkuchen Pfannkuchen pancake; m Nachtisch Nachtische dessert; m Apfel Äpfel apple
f Banane Bananen banana; f Orange Orangen orange; f Apfelsine Apfelsinen orange
f Zitrone Zitronen lemon; f Erdbeere Erdbeeren strawberry; f Traube Trauben grape
f Birne Birnen pear; f Kirsche Kirschen cherry; f Ananas - pineapple
f Tomate Tomaten tomato/tomatoes; f Karotte Karotten carrot; f Möhre Möhren carrot
f Kartoffel Kartoffeln potato/potatoes; f Zwiebel Zwiebeln onion; f Gurke Gurken cucumber
f Paprika Paprikas pepper; m Pilz Pilze mushroom; f Olive Oliven olive; f Erbse Erbsen pea
f Bohne Bohnen bean; n Ei Eier egg; m Kürbis Kürbisse pumpkin; n Getränk Getränke drink
f Mahlzeit Mahlzeiten meal; n Gericht Gerichte dish; n Frühstück Frühstücke breakfast
n Mittagessen Mittagessen lunch; n Abendessen Abendessen dinner; f Scheibe Scheiben slice
n Stück Stücke piece; f Zutat Zutaten ingredient; m Belag Beläge topping; n Brötchen Brötchen bun
f Limonade Limonaden soda; f Cola Colas soda; m Cupcake Cupcakes cupcake
f Peperoni Peperoni pepperoni/pepperoni; f Kalorie Kalorien calorie
f Wassermelone Wassermelonen watermelon
"""

OTHER = """
f Farbe Farben color; f Form Formen shape; f Größe Größen size; f Nummer Nummern number
f Zahl Zahlen number; f Ziffer Ziffern number; n Wort Wörter word; m Buchstabe Buchstaben letter
m Name Namen name; m Text Texte text; f Schrift Schriften writing; f Sprache Sprachen language
f Marke Marken brand; f Firma Firmen company; f Rasse Rassen breed
f Tierart Tierarten kind_of_animal; f Richtung Richtungen direction; f Zeit Zeiten time
f Uhrzeit Uhrzeiten time; f Tageszeit Tageszeiten time_of_day; f Jahreszeit Jahreszeiten season
n Jahr Jahre year; m Tag Tage day; f Nacht Nächte night; m Morgen Morgen morning; m Mittag - noon
m Nachmittag Nachmittage afternoon; m Abend Abende evening; m Winter Winter winter
m Sommer Sommer summer; m Frühling - spring; m Frühjahr - spring; m Herbst - fall
m Sonnenuntergang Sonnenuntergänge sunset; m Sonnenaufgang Sonnenaufgänge sunrise
n Weihnachten - Christmas; n Halloween - Halloween; f Party Partys party
f Hochzeit Hochzeiten wedding; m Geburtstag Geburtstage birthday; f Feier Feiern celebration
n Fest Feste festival; m Sport - sport; f Sportart Sportarten sport; n Tennis - tennis
n Baseball - baseball; m Basketball Basketbälle basketball; n Golf - golf; n Hockey - hockey
n Football - football; n Volleyball - volleyball; n Skifahren - skiing; n Surfen - surfing
n Skateboarden - skateboarding; n Snowboarden - snowboarding; n Schwimmen - swimming
n Reiten - riding; n Material Materialien material; n Gefühl Gefühle feeling
f Stimmung Stimmungen mood; n Alter - age; n Geschlecht Geschlechter gender
m Beruf Berufe profession; n Rennen Rennen race; n Turnier Turniere tournament
f Parade Paraden parade; n Konzert Konzerte concert; m Flug Flüge flight; f Reise Reisen trip
m Sturm Stürme storm; n Gewitter Gewitter thunderstorm; f Ausrüstung - equipment
m Stil Stile style; f Aktivität Aktivitäten activity; n Ereignis Ereignisse event
f Veranstaltung Veranstaltungen event; m Baustil Baustile style; f Geschichte Geschichten story
f Show Shows show; f Ebene Ebenen plain; m Anlass Anlässe occasion
f Hausnummer Hausnummern street_number
f Gemüsesorte Gemüsesorten kind_of_vegetable/kinds_of_vegetables
"""
